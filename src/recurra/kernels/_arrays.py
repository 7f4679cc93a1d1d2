"""The address of an array, once its type, shape and layout are known to be right."""

from __future__ import annotations

from functools import cache
from typing import Any, TypeAlias

import numpy as np

from recurra.errors import ShapeError

Array: TypeAlias = Any  # a NumPy array, or a torch tensor on the CPU
Place: TypeAlias = Any  # an array for a native call: a torch tensor, an address, None for none


def floats(what: str, array: Array, shape: tuple[int, ...]) -> int:
    """The address of a float32, C-contiguous `array` of that shape; ShapeError for another."""
    return _address(what, array, shape, "float32")


def integers(what: str, array: Array, shape: tuple[int, ...]) -> int:
    """The address of an int64, C-contiguous `array` of that shape; ShapeError for another."""
    return _address(what, array, shape, "int64")


def doubles(what: str, array: Array, shape: tuple[int, ...]) -> int:
    """The address of a float64, C-contiguous `array` of that shape; ShapeError for another."""
    return _address(what, array, shape, "float64")


def _address(what: str, array: Array, shape: tuple[int, ...], dtype: str) -> int:
    # A dozen calls a layer: no work here that a good array does not need.
    if array.shape != shape:
        raise ShapeError(f"{what} must have shape {shape} but has {tuple(array.shape)}.")
    if _name(array.dtype) == dtype:
        if isinstance(array, np.ndarray):
            if array.flags.c_contiguous:
                return int(array.__array_interface__["data"][0])
        elif array.is_cpu and array.is_contiguous():
            return array.data_ptr()  # type: ignore[no-any-return]
    raise ShapeError(
        f"{what} must be a C-contiguous {dtype} array on the CPU but is {_described(array)}."
    )


@cache
def _name(dtype: Any) -> str:
    """The name that NumPy and torch both have for a type."""
    return str(dtype).removeprefix("torch.")


def _described(array: Array) -> str:
    contiguous = (
        array.flags.c_contiguous if isinstance(array, np.ndarray) else array.is_contiguous()
    )
    layout = "C-contiguous" if contiguous else "not C-contiguous"
    return f"{array.dtype} on {getattr(array, 'device', 'cpu')}, {layout}"
