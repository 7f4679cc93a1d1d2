"""Lists of names: read from files, a line each, and held out by a seed. No torch.

A name is any short text on one line. How names become symbols and batches is the task's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from recurra.config import option, require
from recurra.data import builtin, holdout
from recurra.data.holdout import Held
from recurra.errors import DataError
from recurra.text import files
from recurra.text.files import Source
from recurra.text.reading import Progress, chunks


@dataclass(frozen=True, kw_only=True)
class NameData:
    """How a list is read, and which names are held out."""

    encoding: str | None = option(
        None, "of the files; none: UTF-8, or UTF-16 with its mark", why="nothing is guessed"
    )
    max_length: int = option(
        1000,
        "characters a name may have; a longer one is refused",
        why="longer lines are seldom names",
    )
    train_fraction: float = option(
        0.8, "share of the names, drawn at random, that is trained on", why="makemore's"
    )
    valid_fraction: float = option(
        0.1, "share that is validated on; the rest is test", why="makemore's"
    )
    split_seed: int = option(
        0, "of that draw; --seed leaves it as it is", why="runs of other seeds can be compared"
    )
    shown: int = option(10, "names drawn for a sample while training", why="a screen's paragraph")

    def __post_init__(self) -> None:
        require(self.max_length >= 1, "max_length", self.max_length, "must be 1 or more")
        train, valid = self.train_fraction, self.valid_fraction
        require(0 < train <= 1, "train_fraction", train, "must be in (0, 1]")
        require(0 <= valid < 1, "valid_fraction", valid, "must be in [0, 1)")
        require(train + valid <= 1 + 1e-9, "valid_fraction", valid, "leaves more than the whole")
        require(self.split_seed >= 0, "split_seed", self.split_seed, "must not be negative")
        require(0 <= self.shown <= 1000, "shown", self.shown, "must be 0 to 1000")


@dataclass(frozen=True)
class NameList:
    """The names in the order of their files."""

    names: tuple[str, ...]
    labels: tuple[str, ...]  # the class of each; empty where there are none
    sources: tuple[Source, ...]
    notes: tuple[str, ...] = ()

    def split(self, data: NameData) -> Held:
        """Which of the names are trained on, validated on and tested on."""
        train, valid = data.train_fraction, data.valid_fraction
        shares = train, valid, max(0.0, round(1 - train - valid, 9))
        return holdout.by_seed(len(self.names), shares, data.split_seed, self.labels or None)


def read(data: NameData, given: Sequence[str], progress: Progress | None = None) -> NameList:
    """The names in the files, a line each; the built-in list where none is given.

    Blanks around a name are cut off, empty lines left out. A name that stands twice counts twice.
    Raises DataError for what is not text, a list without a name, and a name that is too long.
    """
    if not given:
        names, source = builtin.names()
        return NameList(names, (), (source,))
    paths = files.expand(given)
    found: list[str] = []
    empty = 0
    for path, number, line in _lines(paths, data.encoding, progress):
        if len(line) > data.max_length:
            raise DataError(
                f"{path}, line {number}: a name of {len(line):,} characters, {line[:20]!r}…, and "
                f"at most {data.max_length:,} are taken. Leave it out, or raise --max-length; "
                "a running text is for recurra train lm."
            )
        if line:
            found.append(line)
        else:
            empty += 1
    sources = tuple(files.describe(path) for path in paths)
    if not found:
        raise DataError(f"{', '.join(source.name for source in sources)}: there is no name in it.")
    return NameList(tuple(found), (), sources, tuple(_notes(found, empty)))


def _lines(
    paths: Sequence[Path], encoding: str | None, progress: Progress | None
) -> Iterator[tuple[Path, int, str]]:
    """(file, number of the line from 1, the line without blanks around it); no last empty line."""
    done, total = 0, sum(path.stat().st_size for path in paths)
    for path in paths:
        text = "".join(chunks([path], encoding))
        lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        for number, line in enumerate(lines, start=1):
            if line or number < len(lines):
                yield path, number, line.strip()
        done += path.stat().st_size
        if progress:
            progress(done, total)


def _notes(names: Sequence[str], empty: int) -> Iterator[str]:
    if empty:
        yield "1 empty line is left out." if empty == 1 else f"{empty:,} empty lines are left out."
    if repeated := len(names) - len(Counter(names)):
        yield (
            f"{repeated:,} of {len(names):,} names repeat another: a name counts as often as it "
            "stands, and held-out ones may be trained on, too."
        )
