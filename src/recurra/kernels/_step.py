"""What a training step needs beside its layers: the loss over symbols, and sums of rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recurra.errors import ShapeError
from recurra.kernels._arrays import Array, floats, integers
from recurra.kernels._available import native

NOT_COUNTED = -1  # a target that is no symbol


def nats(
    rows: Array,
    weight: Array,
    bias: Array | None,
    targets: Array,
    *,
    scale: float = 1.0,
    d_rows: Array | None = None,
    d_weight: Array | None = None,
    d_bias: Array | None = None,
    threads: int = 1,
) -> NDArray[np.float64]:
    """−ln softmax(weight · row + bias)[target] of every row (N,), 0 where that is NOT_COUNTED.

    rows (N, H), weight (V, H), bias (V,), targets (N,) int64. `d_rows`, `d_weight` and `d_bias`, of
    the same shapes, get the derivatives of scale · their sum in the same pass. The logits (N, V)
    are never all in memory. Of the logits, the nats are within 1e-6 of float64 and 1e-6 relative;
    the bits do not depend on `threads`.

    Raises ShapeError for a wrong shape, type or layout, and IndexError for a target out of range.
    """
    count, hidden = _matrix("rows", rows)
    symbols, _ = _matrix("weight", weight)
    if not symbols:
        raise ShapeError("weight must have a row for each symbol but has none.")
    found = np.empty(count)

    def place(what: str, array: Array | None, shape: tuple[int, ...]) -> int:
        return 0 if array is None else floats(what, array, shape)

    native.nats(
        count,
        hidden,
        symbols,
        floats("rows", rows, (count, hidden)),
        floats("weight", weight, (symbols, hidden)),
        place("bias", bias, (symbols,)),
        integers("targets", targets, (count,)),
        found.ctypes.data,
        scale,
        place("d_rows", d_rows, (count, hidden)),
        place("d_weight", d_weight, (symbols, hidden)),
        place("d_bias", d_bias, (symbols,)),
        threads,
    )
    return found


def sum_rows(rows: Array, ids: Array, sums: Array, *, threads: int = 1) -> None:
    """Makes `sums` (V, W) the sums of those `rows` (N, W) that have the same id, in their order.

    ids (N,) int64, 0 to V − 1. The bits do not depend on `threads`. Raises as `nats` does.
    """
    count, width = _matrix("rows", rows)
    symbols = int(sums.shape[0])
    native.sum_rows(
        count,
        width,
        floats("rows", rows, (count, width)),
        integers("ids", ids, (count,)),
        symbols,
        floats("sums", sums, (symbols, width)),
        threads,
    )


def _matrix(what: str, array: Array) -> tuple[int, int]:
    shape = tuple(array.shape)
    if len(shape) != 2 or shape[1] < 1:
        raise ShapeError(
            f"{what} must have two axes, the last of 1 or more, but has shape {shape}."
        )
    return shape
