"""Windows for truncated back-propagation through time, along B streams whose state is carried on.

The text's predictions (token t from all before it) are cut into B contiguous streams of equal
length, and each stream into windows. Who carries the state, and resets it, is the caller.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.data.token_file import Array, release
from recurra.errors import DataError, RunError
from recurra.rng import generator_state, restore_generator

_RELEASE_EVERY = 512  # windows; keeps a mapped file's resident pages to some tens of megabytes


@dataclass(frozen=True)
class Window:
    """T steps of B streams; targets are the inputs one step later."""

    inputs: NDArray[np.int64]  # (T, B)
    targets: NDArray[np.int64]  # (T, B)
    first: bool  # the carried state must be reset before it: a pass begins


class TokenStreams:
    """An endless walk over a token array: pass after pass, window after window.

    A pass covers B·⌊(tokens − 1) / B⌋ predictions, each once; its last window may be shorter. The
    first pass begins at the first token with a whole window. Every later one draws where it begins
    (so that the few tokens that fit no stream are not always the same) and the length of its first
    window, from ⌈T/2⌉ to T (so that back-propagation is not always cut at the same places).
    """

    def __init__(self, ids: Array, batch: int, seq_len: int, rng: np.random.Generator) -> None:
        """ids (tokens,); `fit_shape` makes batch and seq_len fit. rng: the `order` stream."""
        self._ids = ids
        self._batch = batch
        self._seq_len = seq_len
        self._rng = rng
        self._length = (len(ids) - 1) // batch  # predictions a stream has
        if min(batch, seq_len, self._length) < 1:
            raise DataError(f"{len(ids)} tokens cannot make {batch} streams of {seq_len} steps.")
        self._start = 0  # of the first stream in ids
        self._cut = min(seq_len, self._length)  # steps of the pass's first window
        self._at = 0  # steps of this pass that are done

    @property
    def steps_per_epoch(self) -> int:
        """Windows in the first pass; a later one may have one more."""
        return -(-self._length // self._seq_len)

    def next(self) -> Window:
        """The next window; after a pass's last comes the first of the next pass."""
        if self._at == self._length:
            self._new_pass()
        at = self._at
        end = self._cut if at == 0 else min(at + self._seq_len, self._length)
        self._at = end
        if (end // self._seq_len) % _RELEASE_EVERY == 0:
            release(self._ids)
        return Window(self._steps(at, end, 0), self._steps(at, end, 1), first=at == 0)

    def state(self) -> dict[str, Any]:
        """Where the walk stands and the generator's state, as JSON values."""
        place = {"start": self._start, "cut": self._cut, "at": self._at}
        return {**place, "order": generator_state(self._rng)}

    def restore(self, state: dict[str, Any]) -> None:
        """Goes back to where `state` stood; RunError where that is not in these streams."""
        spare = (len(self._ids) - 1) % self._batch
        limits = {
            "start": (0, spare),
            "cut": (1, min(self._seq_len, self._length)),
            "at": (0, self._length),
        }
        for name, (low, high) in limits.items():
            value = state.get(name)
            if type(value) is not int or not low <= value <= high:
                raise RunError(
                    f"the saved position in the data does not fit it: {name} = {value!r} is not in "
                    f"{low} to {high}. Did the text, the batch or the length change?"
                )
        try:
            restore_generator(self._rng, state["order"])
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise RunError("the saved position in the data lacks its generator's state.") from error
        self._start, self._cut, self._at = (state[name] for name in limits)

    def _new_pass(self) -> None:
        spare = (len(self._ids) - 1) % self._batch  # predictions that fit no stream
        self._start = int(self._rng.integers(0, spare + 1))
        if self._length > self._seq_len:  # else a pass is one window, and stays whole
            self._cut = int(self._rng.integers(-(-self._seq_len // 2), self._seq_len + 1))
        self._at = 0

    def _steps(self, begin: int, end: int, ahead: int) -> NDArray[np.int64]:
        """Steps begin to end of every stream, so many tokens ahead, (end − begin, B)."""
        first = self._start + ahead
        streams = self._ids[first : first + self._batch * self._length]
        steps = streams.reshape(self._batch, self._length)[:, begin:end]
        return np.array(steps.T, np.int64, order="C")


def fit_shape(tokens: int, batch: int, seq_len: int) -> tuple[int, int, tuple[str, ...]]:
    """Batch and length as near to those wanted as the text allows, and a note where they shrank.

    First the batch shrinks until each stream has a whole window, then the length.

    Raises DataError for fewer than two tokens: there is nothing to predict.
    """
    if tokens < 2:
        raise DataError(
            f"the text has {tokens} token: at least two are needed, one to predict the next from."
        )
    fitted = min(batch, max(1, (tokens - 1) // seq_len))
    steps = min(seq_len, (tokens - 1) // fitted)
    notes = [
        f"the text has only {tokens:,} tokens: {name} is {now} instead of {wanted}."
        for name, now, wanted in (("batch_size", fitted, batch), ("seq_len", steps, seq_len))
        if now != wanted
    ]
    return fitted, steps, tuple(notes)


def eval_streams(ids: Array, batch: int, limit: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Inputs and targets (L, B) of B parallel streams, spread evenly over the tokens.

    At most `limit` predictions in all: a bounded estimate while training. Fewer than B streams
    where the tokens or the limit do not suffice for one prediction each.
    """
    predictions = len(ids) - 1
    if min(predictions, limit, batch) < 1:
        raise DataError(f"{len(ids)} tokens, {batch} streams, at most {limit}: nothing to predict.")
    streams = min(batch, predictions, limit)
    length = min(predictions, limit) // streams
    starts = [stream * (predictions - length) // max(1, streams - 1) for stream in range(streams)]
    spans = [ids[start : start + length + 1] for start in starts]
    columns = np.stack(spans, axis=1).astype(np.int64)  # (L + 1, B)
    return columns[:-1], columns[1:]
