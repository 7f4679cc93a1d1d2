"""Lists of names, with classes or without: read from files, and held out by a seed. No torch.

A name is any short text on one line. How names become symbols and batches is the task's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from recurra.config import option, require
from recurra.data import builtin, holdout, labelled
from recurra.data.examples import Columns, Examples, is_rows
from recurra.data.holdout import Held
from recurra.data.splits import shares
from recurra.errors import DataError
from recurra.results import counted
from recurra.text import files
from recurra.text.files import Source, told
from recurra.text.reading import Progress, chunks


@dataclass(frozen=True, kw_only=True)
class NameData:
    """How a list is read, and which names are held out."""

    encoding: str | None = option(
        None, "of the files; none: UTF-8, or UTF-16 with its mark", why="nothing is guessed"
    )
    classes: bool = option(
        False,
        "names have classes: a .csv, .tsv or .jsonl names them in a column, other files are one "
        "class each",
        why="most lists have none",
    )
    text_column: str = option("name", "with classes: the column of the names", why="what it holds")
    label_column: str = option("label", "with classes: their column", why="the usual name")
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
        shares(self.train_fraction, self.valid_fraction)
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
        parts = shares(data.train_fraction, data.valid_fraction)
        return holdout.by_seed(len(self.names), parts, data.split_seed, self.labels or None)


def read(data: NameData, given: Sequence[str], progress: Progress | None = None) -> NameList:
    """The names in the files; the built-in list where none is given.

    A name is a line; with `classes`, a row or a line of a file a class, as `labelled` reads them.
    Blanks around a name are cut off, empty lines left out. A name that stands twice counts twice.
    Raises DataError for what is not text, a list without a name, and a name that is too long.
    """
    if not given:
        require(not data.classes, "classes", data.classes, "the built-in names have none")
        names, source = builtin.names()
        return NameList(names, (), (source,))
    found = _with_classes(data, given) if data.classes else _lines(data, given, progress)
    sources = tuple(files.describe(path) for path in found.files)
    kept: list[str] = []
    labels: list[str] = []
    for number, (name, place) in enumerate(zip(found.inputs, found.places, strict=True)):
        if not isinstance(name, str):
            raise DataError(f"{place}: a name must be text, and these are vectors.")
        if name := name.strip():
            _check(name, place, data.max_length)
            kept.append(name)
            labels += found.labels[number : number + 1]
    if not kept:
        raise DataError(f"{', '.join(told(path) for path in found.files)}: there is no name in it.")
    empty = found.left_out + len(found.inputs) - len(kept)
    notes = (*_whole_rows(data, found), *_notes(kept, labels, empty))
    return NameList(tuple(kept), tuple(labels), sources, notes)


def _with_classes(data: NameData, given: Sequence[str]) -> Examples:
    columns = Columns(data.text_column, data.label_column, encoding=data.encoding, takes_line=False)
    return labelled.read(given, columns)


def _lines(data: NameData, given: Sequence[str], progress: Progress | None) -> Examples:
    """Every line of the files, without labels; no empty one behind a file's last line end."""
    paths = files.expand(given)
    lines: list[str] = []
    places: list[str] = []
    done, total = 0, sum(path.stat().st_size for path in paths)
    for path in paths:
        text = "".join(chunks([path], data.encoding))
        own = text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n")
        lines += own
        shown = told(path)
        places += [f"{shown}, line {number}" for number in range(1, len(own) + 1)]
        done += path.stat().st_size
        if progress:
            progress(done, total)
    return Examples(lines, [], places, tuple(paths))


def _whole_rows(data: NameData, found: Examples) -> Iterator[str]:
    """A note where a table is read without regard to its columns."""
    if not data.classes and (
        table := next((path for path in found.files if is_rows(path, Columns())), None)
    ):
        yield (
            f"each line of {table.name} is a name as it stands, a header and separators too: with "
            "--classes its columns are read."
        )


def _check(name: str, place: str, longest: int) -> None:
    """DataError for what is too long to be a name, and for a quoted cell of several lines."""
    if len(name) > longest:
        raise DataError(
            f"{place}: a name of {len(name):,} characters, {name[:20]!r}…, and at most "
            f"{longest:,} are taken. Leave it out, or raise --max-length; a running text is for "
            "recurra train lm."
        )
    if "\n" in name or "\r" in name:
        raise DataError(f"{place}: {name[:40]!r} has a line end in it, and a name is one line.")


def _notes(names: Sequence[str], labels: Sequence[str], empty: int) -> Iterator[str]:
    if empty:
        yield f"left out: {counted(empty, 'empty line')}."
    entries = list(zip(names, labels, strict=True)) if labels else names
    if repeated := len(entries) - len(set(entries)):
        yield (
            f"repeated: {repeated:,} of {counted(len(names), 'name')}. A name counts as often as "
            "it stands, and held-out ones may be trained on, too."
        )
