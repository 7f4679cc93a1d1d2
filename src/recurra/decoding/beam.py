"""Beam search over any step, for a batch of starts at once.

The hypotheses with the highest total log-probability: no length normalisation, no coverage term.
Likelier is not better text: on open-ended prose it repeats itself more than a sample does
(holtzman2020).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recurra.config import require
from recurra.decoding.filters import largest
from recurra.decoding.state import Floats, Ids, Step, take

WIDEST = 1000  # hypotheses; beyond some ten the search finds little more, and each costs a sequence


class Hypothesis(NamedTuple):
    """One sequence found."""

    ids: tuple[int, ...]  # the stop id, where there is one, is the last
    nats: float  # −ln p(ids | what was before)


class _Beams(NamedTuple):
    """N starts, W hypotheses each, best first; one that cannot be has score −inf."""

    scores: Floats  # (N, W) total log-probability
    ids: Ids  # (N, W, t); a finished one repeats the stop id
    finished: NDArray[np.bool_]  # (N, W)


def beam_search(
    step: Step,
    log_probs: Floats,
    state: Any,
    *,
    width: int,
    length: int,
    stop_id: int | None = None,
    n_best: int = 1,
) -> list[list[Hypothesis]]:
    """The `n_best` best hypotheses found for each of N starts, best first.

    `log_probs` (N, V) and `state` (N rows) are those before the first symbol. At each step every
    unfinished hypothesis is continued by every symbol and the `width` best stay, finished ones
    among them; a hypothesis ends with `stop_id` or after `length` symbols. Of equals the earlier
    hypothesis, then the lower id wins. Width 1 is greedy; a width of at least V^(length − 1) is
    exact. Raises ConfigError for a width that is not 1 to 1,000, a negative length or more asked
    than kept.
    """
    require(1 <= width <= WIDEST, "width", width, f"must be 1 to {WIDEST:,}")
    require(length >= 0, "length", length, "must not be negative")
    require(1 <= n_best <= width, "n_best", n_best, f"must be 1 to the width, {width}")
    starts = len(log_probs)
    scores = np.full((starts, width), -np.inf)
    scores[:, 0] = 0.0  # one start, not `width` copies of it
    beams = _Beams(scores, np.empty((starts, width, 0), np.int64), np.zeros((starts, width), bool))
    rows = np.repeat(np.arange(starts), width)  # the row of `state` behind each hypothesis
    log_probs, state = log_probs[rows], take(state, rows)
    for position in range(length):
        beams, rows = _advance(beams, log_probs, stop_id)
        if position + 1 == length or beams.finished[np.isfinite(beams.scores)].all():
            break
        log_probs, state = step(beams.ids[:, :, -1].reshape(-1), take(state, rows))
    return [_best(beams, start, n_best, stop_id) for start in range(starts)]


def _advance(
    beams: _Beams, log_probs: Floats, stop_id: int | None
) -> tuple[_Beams, NDArray[np.int64]]:
    """The beams one symbol on, and for each the row (N·W,) of the hypothesis it continues."""
    starts, width = beams.scores.shape
    symbols = log_probs.shape[-1]
    candidates = beams.scores[:, :, None] + log_probs.reshape(starts, width, symbols)
    if stop_id is not None:
        candidates[beams.finished] = -np.inf
        candidates[beams.finished, stop_id] = beams.scores[beams.finished]  # stays as it is
    flat = candidates.reshape(starts, width * symbols)
    kept = np.stack([_descending(row, width) for row in flat])  # (N, W) into W·V
    parents, ids = kept // symbols, kept % symbols
    start = np.arange(starts)[:, None]
    longer = np.concatenate([beams.ids[start, parents], ids[:, :, None]], axis=2)
    finished = ids == stop_id if stop_id is not None else np.zeros_like(beams.finished)
    scores = flat[start, kept]
    return _Beams(scores, longer, finished), (start * width + parents).reshape(-1)


def _descending(values: Floats, k: int) -> NDArray[np.int64]:
    """Where the k largest of `values` stand, largest first, of equals the first."""
    places = np.flatnonzero(largest(values, k))
    return places[np.argsort(-values[places], kind="stable")]


def _best(beams: _Beams, start: int, n_best: int, stop_id: int | None) -> list[Hypothesis]:
    found = []
    for score, ids in zip(beams.scores[start, :n_best], beams.ids[start], strict=False):
        if np.isfinite(score):
            symbols = [int(one) for one in ids]
            if stop_id in symbols:
                symbols = symbols[: symbols.index(stop_id) + 1]
            found.append(Hypothesis(tuple(symbols), float(-score)))
    return found
