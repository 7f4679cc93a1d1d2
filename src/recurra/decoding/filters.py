"""What is left to draw from: temperature, the k most probable, the most probable share p.

Each filter takes float64 log-probabilities (V,) or (B, V) and gives log-probabilities of that
shape: −inf for what it removes, the rest summing to 1 again. No drawing here: see `sample`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.config import require
from recurra.decoding.state import Floats


@dataclass(frozen=True, kw_only=True)
class Filters:
    """Which symbols may be drawn, and how boldly: first temperature, then top_k, then top_p.

    Raises ConfigError for a value that cannot be.
    """

    temperature: float = 1.0  # log-probabilities are divided by it; 0: always the most probable
    top_k: int | None = None  # how many symbols stay; none: all
    top_p: float | None = None  # the most probable symbols that hold this share stay; none: all

    def __post_init__(self) -> None:
        require(
            0 <= self.temperature < float("inf"),
            "temperature",
            self.temperature,
            "must be 0 (always the most probable) or more",
        )
        require(self.top_k is None or self.top_k >= 1, "top_k", self.top_k, "must be 1 or more")
        require(self.top_p is None or 0 < self.top_p <= 1, "top_p", self.top_p, "must be in (0, 1]")

    def probabilities(self, log_probs: Floats) -> Floats:
        """The probabilities to draw from, of the shape of `log_probs`, (V,) or (B, V)."""
        filtered = tempered(log_probs, self.temperature)
        if self.top_k is not None:
            filtered = top_k(filtered, self.top_k)
        if self.top_p is not None:
            filtered = top_p(filtered, self.top_p)
        return np.exp(filtered)


def tempered(log_probs: Floats, temperature: float) -> Floats:
    """log p^(1/temperature), normalised; at 0 all of it is the most probable symbol's.

    Of equally probable symbols the one with the lowest id is taken as the most probable.
    """
    if temperature == 0:
        return top_k(log_probs, 1)
    # The maximum goes first: dividing by a tiny temperature would overflow.
    shifted = log_probs - log_probs.max(axis=-1, keepdims=True)
    with np.errstate(over="ignore"):
        return normalised(shifted / temperature)


def top_k(log_probs: Floats, k: int) -> Floats:
    """The k most probable symbols alone; of equals at the border those with the lowest ids."""
    return _only(log_probs, largest(log_probs, k))


def top_p(log_probs: Floats, p: float) -> Floats:
    """The fewest most probable symbols that together hold at least the share p (holtzman2020)."""
    order = np.argsort(-log_probs, axis=-1, kind="stable")
    descending = np.exp(np.take_along_axis(log_probs, order, axis=-1))
    before = np.cumsum(descending, axis=-1) - descending  # the mass of all more probable symbols
    kept = np.empty(log_probs.shape, dtype=bool)
    # What rounding leaves of p is not worth a symbol: 0.6 + 0.3 holds a p of 0.9.
    np.put_along_axis(kept, order, before < p * (1 - 1e-12), axis=-1)
    return _only(log_probs, kept)


def without(log_probs: Floats, ids: tuple[int, ...]) -> Floats:
    """The log-probabilities given that none of `ids` comes."""
    allowed = np.ones(log_probs.shape[-1], dtype=bool)
    allowed[list(ids)] = False
    return _only(log_probs, allowed)


def normalised(log_probs: Floats) -> Floats:
    """log-probabilities that sum to 1 over the last axis, from unnormalised ones."""
    shifted = log_probs - log_probs.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))  # type: ignore[no-any-return]


def largest(values: NDArray[Any], k: int) -> NDArray[np.bool_]:
    """True at the k largest along the last axis; of equals at the border the first ones."""
    size = values.shape[-1]
    if k >= size:
        return np.ones(values.shape, dtype=bool)
    border = np.partition(values, size - k, axis=-1)[..., size - k, None]
    above, equal = values > border, values == border
    room = k - above.sum(axis=-1, keepdims=True)
    kept: NDArray[np.bool_] = above | (equal & (np.cumsum(equal, axis=-1) <= room))
    return kept


def _only(log_probs: Floats, kept: NDArray[np.bool_]) -> Floats:
    return normalised(np.where(kept, log_probs, -np.inf))
