"""Which examples are learned from, which are watched while learning, which are kept for the end.

Drawn by a seed, class by class where there are classes. Parts of one long text are `splits`'s.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recurra import rng
from recurra.config import require
from recurra.errors import DataError

Rows = NDArray[np.int64]
LEARNED_FROM = (
    "nothing was held out: this is what was learned from, and says little of what is new."
)

Fractions = tuple[float, float, float]


@dataclass(frozen=True)
class Held:
    """The numbers of the examples of each part, ascending; empty where a part does not exist."""

    train: Rows
    valid: Rows
    test: Rows
    notes: tuple[str, ...] = ()


def part_to_evaluate(split: str, there: Container[str]) -> tuple[str, tuple[str, ...]]:
    """(the part that `split` names, notes); 'auto' is test, else valid, else train, with a note.

    there: the names of the parts that exist.
    """
    if split != "auto":
        return split, ()
    for name in ("test", "valid"):
        if name in there:
            return name, ()
    return "train", (LEARNED_FROM,)


def by_seed(
    count: int,
    fractions: Fractions,
    seed: int,
    classes: Sequence[Hashable] | None = None,
    *,
    elsewhere: Collection[str] = (),
) -> Held:
    """`count` examples in shares train, valid and test, drawn by `seed` alone.

    With `classes` (one an example) every class is cut by the same shares, to within one example;
    each has at least one example to learn from. Borders are rounded down: of 32,033 examples .8, .1
    and .1 are 25,626, 3,203 and 3,204. elsewhere: which of valid and test stand in files of their
    own; their shares are learned from.

    Raises DataError where there is no example, ConfigError for fractions that are negative or do
    not add up to 1.
    """
    require(
        min(fractions) >= 0 and fractions[0] > 0 and abs(sum(fractions) - 1) < 1e-6,
        "split",
        fractions,
        "must be three shares, train above 0, that add up to 1",
    )
    if not count:
        raise DataError("there is no example to split.")
    valid_share = 0.0 if "valid" in elsewhere else fractions[1]
    test_share = 0.0 if "test" in elsewhere else fractions[2]
    fractions = (round(1 - valid_share - test_share, 9), valid_share, test_share)
    shuffled = rng.generator(seed, "holdout").permutation(count)
    parts: list[list[int]] = [[], [], []]
    bare = 0  # classes with nothing held out, though it was asked for
    start = 0
    for members in _members(shuffled, classes):
        size = len(members)
        first = max(1, _leading(fractions[0], start, size))  # each has one to learn from
        second = max(first, _leading(fractions[0] + fractions[1], start, size))
        for part, low, high in zip(parts, (0, first, second), (first, second, size), strict=True):
            part += members[low:high]
        bare += first == size
        start += size
    train, valid, test = (np.array(sorted(part), np.int64) for part in parts)
    notes = _notes(fractions, valid, test, bare, classes, there="valid" in elsewhere)
    return Held(train, valid, test, notes)


def _members(shuffled: Rows, classes: Sequence[Hashable] | None) -> list[list[int]]:
    """The examples of each class in shuffled order; classes as they first occur in the data."""
    if classes is None:
        return [shuffled.tolist()]
    found: dict[Hashable, list[int]] = {one: [] for one in classes}
    for row in shuffled.tolist():
        found[classes[row]].append(row)
    return list(found.values())


def _leading(share: float, start: int, size: int) -> int:
    """How many of a class's `size` examples, after `start` of others, are the first `share` of it.

    Rounded so that the share of all examples together is right, too.
    """
    return min(size, _floor((start + size) * share) - _floor(start * share))


def _floor(x: float) -> int:
    """Rounded down, where 2.9999999999 is a rounding error of 3."""
    return int(np.floor(x + 1e-6))


def _notes(
    fractions: Fractions,
    valid: Rows,
    test: Rows,
    bare: int,
    classes: Sequence[Hashable] | None,
    *,
    there: bool,  # whether a validation part stands in a file of its own
) -> tuple[str, ...]:
    notes = []
    if not len(valid) and not there:
        notes.append("no validation part: the last model counts as the best.")
    if fractions[2] and not len(test):
        notes.append("no test part: there are too few examples.")
    if classes is not None and bare and max(fractions[1:]):
        what = "1 class has" if bare == 1 else f"{bare} classes have"
        notes.append(f"{what} too few examples to hold one out: all are learned from.")
    return tuple(notes)
