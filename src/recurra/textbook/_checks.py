"""The types of the textbook, and the checks at the doors of its cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from recurra.errors import ConfigError, ShapeError, did_you_mean
from recurra.shapes import check_shape

Array: TypeAlias = NDArray[np.float64]
Parameters: TypeAlias = Mapping[str, Array]
Gradients: TypeAlias = dict[str, Array]
Cache = TypeVar("Cache")


def check_parameters(parameters: Parameters, shapes: Mapping[str, tuple[int | str, ...]]) -> None:
    """Nothing, if every array that `shapes` names is in `parameters` with that shape.

    Raises ConfigError for a name that is not there, ShapeError for a shape that does not fit.
    """
    for name, shape in shapes.items():
        if name not in parameters:
            have = ", ".join(parameters)
            raise ConfigError(
                f"parameter {name!r} is missing. Have: {have}.{did_you_mean(name, parameters)}"
            )
        check_shape(f"parameter {name}", parameters[name], shape)


def check_positive(settings: Mapping[str, float]) -> None:
    """Nothing, if every setting is above 0; else ConfigError naming the first that is not."""
    for name, value in settings.items():
        if not value > 0:
            raise ConfigError(f"{name} must be positive but is {value}.")


def check_sequence(x: Array, a0: Array, n_a: int) -> tuple[int, int]:
    """(m, T_x) of inputs x (n_x, m, T_x) that start from the state a0 (n_a, m).

    Raises ShapeError where one does not fit or where there is no step.
    """
    hint = "Another axis order? recurra.textbook.time_major_to_notes and its siblings convert."
    check_shape("x", x, ("n_x", "m", "T_x"), hint)
    _, m, T_x = x.shape
    if T_x == 0:
        raise ShapeError(f"x must have at least one step but has shape {x.shape}.")
    check_shape("a0", a0, (n_a, m))
    return m, T_x


def first_step(caches: Sequence[Cache]) -> Cache:
    """The cache of the first step; ShapeError if there is none."""
    if not caches:
        raise ShapeError("caches must hold one cache a step but is empty: pass the forward's.")
    return caches[0]
