"""Sequences of different length in batches: padded, time-major, with their lengths.

What is walked are the numbers of examples; the task's own `make` turns some of them into a batch,
with targets of whatever form. Batches hold sequences of about one length, in an order drawn anew
for each pass. How sequences are read from files is not done here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from recurra.errors import DataError, RunError
from recurra.rng import generator_state, restore_generator

Rows = NDArray[np.int64]
Batch = TypeVar("Batch")

STEPS_AT_ONCE = 2**16  # T·B of a batch at most; a sequence that is longer is a batch alone
POOL = 16  # batches whose sequences are sorted by length together: shuffled, yet little padding


class Padded(NamedTuple):
    """Sequences side by side; past its length a sequence is zeros."""

    values: NDArray[Any]  # (T, B) symbols or (T, B, I) vectors
    lengths: Rows  # (B,)

    @property
    def mask(self) -> NDArray[np.bool_]:
        """(T, B), True where a step is real."""
        return np.arange(len(self.values))[:, None] < self.lengths


def pad(sequences: Sequence[NDArray[Any]]) -> Padded:
    """The sequences, each (its length,) or (its length, I), as one array; whole numbers as int64.

    Raises DataError where there is none, and where they differ in width.
    """
    if not sequences:
        raise DataError("there is no sequence to pad.")
    lengths = np.array([len(one) for one in sequences], np.int64)
    first = sequences[0]
    for number, one in enumerate(sequences):
        if one.shape[1:] != first.shape[1:]:
            raise DataError(
                f"sequence {number} has steps of shape {one.shape[1:]}, the first {first.shape[1:]}"
            )
    kind = np.dtype(np.int64) if np.issubdtype(first.dtype, np.integer) else first.dtype
    values = np.zeros((int(lengths.max()), len(sequences), *first.shape[1:]), kind)  # (T, B, …)
    for column, one in enumerate(sequences):
        values[: len(one), column] = one
    return Padded(values, lengths)


def batches_by_length(lengths: Sequence[int] | Rows, batch: int) -> list[Rows]:
    """Every example once, the shortest first: which examples each batch has.

    At most `batch` of them, and T·B at most STEPS_AT_ONCE. For figures and answers, where the order
    does not matter.
    """
    sizes = np.asarray(lengths)
    return _cut(np.argsort(sizes, kind="stable"), sizes, batch)


class PaddedBatches(Generic[Batch]):
    """An endless walk: pass after pass, each example once a pass, batch after batch.

    For a pass the examples are shuffled and cut into pools of some batches; a pool is sorted by
    length and cut into batches, and the batches of all pools are shuffled. With pools of one batch
    lengths are mixed in every batch: right where it is the length itself that is learned, because a
    batch of one length pulls every sequence's end there.
    """

    def __init__(
        self,
        lengths: Sequence[int] | Rows,
        batch: int,
        rng: np.random.Generator,
        make: Callable[[Rows], Batch],
        *,
        pool: int = POOL,
    ) -> None:
        """lengths: steps of each example; batch: examples in one; rng: the `order` stream.

        `make` gives the batch of the examples with the numbers (B,). Raises DataError where there
        is no example, and where one has no step.
        """
        self._lengths = np.asarray(lengths, np.int64)
        if not len(self._lengths):
            raise DataError("there is no example to learn from.")
        if not self._lengths.min():
            raise DataError(f"example {int(self._lengths.argmin())} has no step: leave it out.")
        self._batch = batch
        self._pool = pool * batch  # examples
        self._rng = rng
        self._make = make
        self._plan: list[Rows]
        self._new_pass()

    @property
    def steps_per_epoch(self) -> int:
        """Batches in this pass; another differs only where sequences are very long."""
        return len(self._plan)

    def next(self) -> Batch:
        """The next batch; after a pass's last comes the first of the next pass."""
        if self._at == len(self._plan):
            self._new_pass()
        self._at += 1
        return self._make(self._plan[self._at - 1])

    def state(self) -> dict[str, Any]:
        """Where the walk stands as JSON values: the generator before this pass, batches done."""
        return {"at": self._at, "order": self._before}

    def restore(self, state: dict[str, Any]) -> None:
        """Goes back to where `state` stood; RunError where that is not in these examples."""
        try:
            restore_generator(self._rng, state["order"])
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise RunError("the saved position in the data lacks its generator's state.") from error
        self._new_pass()
        at = state.get("at")
        if type(at) is not int or not 0 <= at <= len(self._plan):
            raise RunError(
                f"the saved position in the data does not fit it: at = {at!r} is not in 0 to "
                f"{len(self._plan)}. Did the data or the batch change?"
            )
        self._at = at

    def _new_pass(self) -> None:
        self._before = generator_state(self._rng)
        self._at = 0
        order = self._rng.permutation(len(self._lengths))
        batches: list[Rows] = []
        for start in range(0, len(order), self._pool):
            pool = order[start : start + self._pool]
            by_length = pool[np.argsort(self._lengths[pool], kind="stable")]
            batches += _cut(by_length, self._lengths, self._batch)
        self._plan = [batches[place] for place in self._rng.permutation(len(batches))]


def _cut(rows: Rows, lengths: Rows, batch: int) -> list[Rows]:
    """`rows`, sorted by length, in pieces of at most `batch` rows, STEPS_AT_ONCE padded."""
    pieces = []
    start = 0
    while start < len(rows):
        some = rows[start : start + batch]
        padded = lengths[some] * np.arange(1, len(some) + 1)  # T·B if the piece ended there
        size = max(1, int((padded <= STEPS_AT_ONCE).sum()))
        pieces.append(some[:size])
        start += size
    return pieces
