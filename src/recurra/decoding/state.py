"""A state's rows: the batch of a state is re-ordered, repeated and thinned out here.

What a state *is* belongs to whoever makes it; here it is nested tuples of arrays (B, …).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

S = TypeVar("S")
Ids = NDArray[np.int64]
Floats = NDArray[np.float64]


class Step(Protocol):
    """One step of a model: what decoding knows of it."""

    def __call__(self, ids: Ids, state: Any) -> tuple[Floats, Any]:
        """(log-probabilities (B, V) of the next symbol, state) after feeding ids (B,)."""


def take(state: S, rows: Sequence[int] | NDArray[np.integer[Any]]) -> S:
    """The state whose batch consists of the given rows of this one, in that order, repeats allowed.

    `state` is nested (named) tuples of arrays (B, …); the result holds copies (len(rows), …).
    """
    if isinstance(state, tuple):
        parts = [take(part, rows) for part in state]
        kind: Any = type(state)
        return kind(*parts) if hasattr(state, "_fields") else kind(parts)  # type: ignore[no-any-return]
    array: Any = state
    return array[np.asarray(rows, dtype=np.int64)]  # type: ignore[no-any-return]
