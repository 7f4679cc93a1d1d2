"""What a training step needs beside its layers: the loss over the symbols, and sums of rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recurra.errors import ShapeError
from recurra.kernels._arrays import Array, floats, integers
from recurra.kernels._available import native

NOT_COUNTED = -1  # a target that is no symbol


def nats(
    logits: Array,
    targets: Array,
    *,
    gradient: Array | None = None,
    scale: float = 1.0,
    threads: int = 1,
) -> NDArray[np.float64]:
    """−ln softmax(logits)[target] of every token (N,), and 0 where the target is NOT_COUNTED.

    logits (N, V), targets (N,) int64. `gradient` (N, V) gets the derivative of scale · their sum,
    in the same pass. Within 1e-6 of float64 and 1e-6 relative; the bits do not depend on `threads`.

    Raises ShapeError for a wrong shape, type or layout, and IndexError for a target out of range.
    """
    shape = _matrix("logits", logits)
    found = np.empty(shape[0])
    native.nats(
        *shape,
        floats("logits", logits, shape),
        integers("targets", targets, shape[:1]),
        found.ctypes.data,
        0 if gradient is None else floats("gradient", gradient, shape),
        scale,
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
