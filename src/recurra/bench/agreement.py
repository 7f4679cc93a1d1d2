"""Whether two programs compute the same, within a tolerance: asked before either is timed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recurra.errors import DisagreementError

Distance: TypeAlias = Callable[[NDArray[Any], NDArray[Any]], float]


def relative(ours: NDArray[Any], theirs: NDArray[Any]) -> float:
    """The L2 norm of the difference, as a share of theirs."""
    return float(np.linalg.norm(ours - theirs) / max(float(np.linalg.norm(theirs)), 1e-30))


def largest(ours: NDArray[Any], theirs: NDArray[Any]) -> float:
    """The largest difference of two numbers in the same place."""
    return float(np.abs(ours - theirs).max())


def require_same(
    who: str,
    ours: Mapping[str, ArrayLike],
    theirs: Mapping[str, ArrayLike],
    distance: Distance,
    tolerance: float,
) -> float:
    """The largest distance of results of one name; DisagreementError where it is above `tolerance`.

    `who`: whose results theirs are, for the message. A NaN is a disagreement.
    """
    if ours.keys() != theirs.keys():
        raise DisagreementError(f"{who} has results {sorted(theirs)}, ours {sorted(ours)}.")
    worst = 0.0
    for name, value in ours.items():
        a, b = np.asarray(value, np.float64), np.asarray(theirs[name], np.float64)
        found = distance(a, b) if a.shape == b.shape else float("nan")
        if not found <= tolerance:
            raise DisagreementError(
                f"{who} and recurra do not compute the same, so they are not timed: {name} of "
                f"shapes {b.shape} and {a.shape} differ by {found:.3g}, "
                f"above {tolerance:g}. That is a bug; please report it."
            )
        worst = max(worst, found)
    return worst
