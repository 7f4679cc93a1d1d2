"""Which part of a text is learned from, which is watched while learning, which is kept for the end.

Parts are contiguous and views of the tokens: nothing is copied or shuffled.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

from recurra.config import require
from recurra.data.token_file import Array
from recurra.results import counted

Fractions: TypeAlias = tuple[float, float, float]

MIN_HELD_OUT = 100  # tokens; a figure over fewer says nothing
FRACTIONS = (0.9, 0.05, 0.05)  # train, valid, test


@dataclass(frozen=True)
class Parts:
    """The tokens to learn from and those held out; None where a part does not exist."""

    train: Array
    valid: Array | None
    test: Array | None
    notes: tuple[str, ...] = ()


def shares(train: float, valid: float) -> Fractions:
    """The share to train on, to validate on, and what is left to test on.

    Raises ConfigError where one cannot be, or both are more than the whole.
    """
    require(0 < train <= 1, "train_fraction", train, "must be in (0, 1]")
    require(0 <= valid < 1, "valid_fraction", valid, "must be in [0, 1)")
    both = round(train + valid, 9)
    require(
        both <= 1,
        "valid_fraction",
        valid,
        f"and train_fraction = {train} are {both} together, more than the whole",
    )
    return train, valid, max(0.0, round(1 - train - valid, 9))


def sizes(total: int, fractions: Fractions) -> tuple[int, int, int]:
    """How many of `total` tokens train, valid and test get; 0 where a part does not exist.

    Each border is rounded down, and the last part that is not 0 takes what is left: 0.9, 0.1, 0 of
    1,115,394 tokens are 1,003,854, 111,540 and none. Where a part that was asked for would have
    under MIN_HELD_OUT tokens nothing is held out.

    Raises ConfigError for fractions that are negative or do not add up to 1.
    """
    require(
        min(fractions) >= 0 and fractions[0] > 0 and abs(sum(fractions) - 1) < 1e-6,
        "split",
        fractions,
        "must be three fractions, train above 0, that add up to 1",
    )
    train, valid, test = fractions
    first = _floor(total * train) if valid or test else total
    second = _floor(total * (train + valid)) if test else total
    parts = first, second - first, total - second
    if any(
        size < MIN_HELD_OUT for size, share in zip(parts[1:], (valid, test), strict=True) if share
    ):
        return total, 0, 0
    return parts


def by_fractions(ids: Array, fractions: Fractions = FRACTIONS) -> Parts:
    """The tokens cut in order into train, valid and test of those `sizes`.

    A note says where nothing is held out, though it was asked for, or nothing to validate on.
    """
    train, valid, test = sizes(len(ids), fractions)
    if not valid and not test and max(fractions[1:]):
        note = f"the text has only {len(ids):,} tokens: {_nothing_held_out()}"
        return Parts(ids, None, None, (note,))
    return Parts(
        ids[:train],
        ids[train : train + valid] if valid else None,
        ids[train + valid :] if test else None,
        () if valid else (f"no validation part: {_nothing_held_out()}",),
    )


def by_files(train: Array, valid: Array | None, test: Array | None) -> Parts:
    """The parts as they stand in files of their own.

    A held-out file of under MIN_HELD_OUT tokens is not used, and a note says so.
    """
    held_out = (("validation", valid), ("test", test))
    notes = [
        f"the {name} file has only {counted(len(part), 'token')}, of {MIN_HELD_OUT} needed: it is "
        "not used."
        for name, part in held_out
        if part is not None and len(part) < MIN_HELD_OUT
    ]
    valid, test = (
        None if part is None or len(part) < MIN_HELD_OUT else part for _, part in held_out
    )
    if valid is None:
        notes.append(f"no validation part: {_nothing_held_out()}")
    return Parts(train, valid, test, tuple(notes))


def _nothing_held_out() -> str:
    return "nothing is held out, and the last model counts as the best."


def _floor(x: float) -> int:
    """Rounded down, where 2.9999999999 is a rounding error of 3."""
    return math.floor(x + 1e-6)
