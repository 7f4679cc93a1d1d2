"""What a language model gives to text: a score of a few words, figures over a whole split.

Two protocols for a split: every token once with the state carried (exact), and nanoGPT's random
windows from the zero state, in parallel. Reading and splitting files is not done here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from recurra import rng
from recurra.config import require
from recurra.errors import DataError
from recurra.results import Score, counted
from recurra.runtime import start
from recurra.runtime.given import encode
from recurra.runtime.language_model import Ids, LanguageModel, State

STRETCH = 4096  # tokens read at a time, and between two calls of `progress`
WINDOWS_AT_ONCE = 64  # nanoGPT's batch


class StreamFigure(NamedTuple):
    """A split once, in order, state carried."""

    nats_per_token: float
    tokens: int  # predictions the mean is over: one less than the split's without a context


class WindowsFigure(NamedTuple):
    """Random windows, each from the initial state."""

    nats_per_token: float
    standard_error: float | None  # of that mean, from the spread between windows; None for one
    tokens: int  # predictions the mean is over: windows times their length


def score(
    model: LanguageModel, text: str, context: str | None = None, label: str | None = None
) -> Score:
    """−ln p of each token of `text`, after `context` (None: the model's), which is not counted.

    Where sequences end, the text is one, of class `label`: the stop symbol behind it counts, too.
    Symbols that the model has none for are scored as its unknown symbol and counted in `unknown`.
    Raises DataError for a text without a token and, where there is no unknown symbol, for one with
    symbols never seen; ConfigError for a context without a token and for what is not valid text.
    """
    ids = encode(model.tokenizer, text, "the text")
    if ids.size == 0:
        raise DataError(f"the text {text!r} has no token to score: give at least one.")
    if model.stop is not None:
        require(
            model.stop not in text, "text", text, "holds the stop symbol: give one line at a time"
        )
        ids = np.append(ids, np.array(model.stop_id, ids.dtype))
    read, shown = start.before(model, context, label, prompted=False)
    before, state = _read(model, read)
    inputs = np.concatenate([before, ids[:-1]])
    nats, _ = model.nats(inputs, ids, state)
    return Score(
        text=text,
        tokens=tuple(model.tokenizer.pieces(ids)),
        nats=tuple(nats.tolist()),
        context=shown,
        unknown=int((ids == model.tokenizer.unknown_id).sum()),
    )


def after_context(model: LanguageModel, context: str) -> tuple[Ids, State]:
    """(the context's last symbol (1,), still to be fed, state of one sequence before it)."""
    ids = encode(model.tokenizer, context, "the context")
    require(ids.size > 0, "context", context, "must hold a symbol")
    return _read(model, ids)


def _read(model: LanguageModel, ids: Ids) -> tuple[Ids, State]:
    """(the last symbol (1,), still to be fed, state of one sequence before it)."""
    state = model.initial_state(1)
    if ids.size > 1:
        _, state = model.read(ids[:-1, None], state)
    return ids[-1:], state


def evaluate_stream(
    model: LanguageModel,
    ids: Ids,
    *,
    context: str | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> StreamFigure:
    """Mean nats over `ids` (N,), every token once, in order, state carried from the first to last.

    The first token has no predecessor: without `context` it is read but not counted, and the mean
    is over N − 1; with one it is predicted after it, and the mean is over N.
    `progress(done, total)` is told of predictions. Raises DataError where there is none.
    """
    if context is None:
        before, state = ids[:0], model.initial_state(1)
    else:
        before, state = after_context(model, context)
    total = len(before) + len(ids) - 1
    if total < 1:
        raise DataError(f"{counted(len(ids), 'token')}, and at least 2 are needed to predict one.")
    sums = []
    previous = before
    for begin in range(0, len(ids), STRETCH):
        part = np.asarray(ids[begin : begin + STRETCH])
        inputs = np.concatenate([previous, part[:-1]])
        targets = part[len(part) - len(inputs) :]
        previous = part[-1:]
        if len(inputs):
            nats, state = model.nats(inputs, targets, state)
            sums.append(float(nats.sum()))
        progress(begin + len(part) - (1 - len(before)), total)
    return StreamFigure(math.fsum(sums) / total, total)


def evaluate_windows(
    model: LanguageModel, ids: Ids, *, window: int, count: int, seed: int
) -> WindowsFigure:
    """Mean nats over `count` random windows of `window` predictions: nanoGPT's protocol.

    Each window starts anywhere in `ids` (N,) with equal probability, from the initial state, and
    all its positions count, the first ones too: the figure is above `evaluate_stream`'s. Raises
    DataError where `ids` is no longer than a window, ConfigError for a window or count below 1.
    """
    require(window >= 1, "window", window, "must be 1 or more")
    require(count >= 1, "count", count, "must be 1 or more")
    if len(ids) <= window:
        raise DataError(
            f"{counted(len(ids), 'token')}, and windows of {window} need at least {window + 1}."
        )
    starts = rng.generator(seed, "windows").integers(0, len(ids) - window, size=count)
    means = []
    for first in range(0, count, WINDOWS_AT_ONCE):
        some = starts[first : first + WINDOWS_AT_ONCE]
        places = np.arange(window + 1)[:, None] + some  # (window + 1, B)
        batch = np.asarray(ids[places])
        nats, _ = model.nats(batch[:-1], batch[1:], model.initial_state(len(some)))
        means.append(nats.mean(axis=0))
    each = np.concatenate(means)
    error = float(each.std(ddof=1)) / math.sqrt(count) if count > 1 else None
    return WindowsFigure(float(each.mean()), error, count * window)
