"""What a call of the node is beside its tensors, and what the native calls are told of both."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from recurra import kernels
from recurra.kernels import LayerSize

# What forward leaves for backward is one list: lengths, batch_sizes, order, ids, x, h0, c0; then
# each direction's weights (its biases and x_gates None: backward does not need their numbers), its
# gates, its extra; then outputs.
IDS, X, H0, BEFORE = 3, 4, 5, 7  # where those stand, and how many stand before the weights
IH, BIAS, BIAS_HH = 0, 2, 3  # where those stand among a direction's weights


class Call(NamedTuple):
    """A layer's cell, sizes, directions and form of input."""

    kind: kernels.Kind
    batch: int
    hidden: int
    directions: int = 1
    reverse: bool = False  # the first direction; a second one always is
    lengths: Tensor | None = None  # (B,) int64
    ids: Tensor | None = None  # (T, B) int64: what is read is a table of rows
    batch_sizes: Tensor | None = None  # (T,) int64: x is packed, (N, I)
    order: Tensor | None = None  # (B,) int64: where packed sequence b stands in the states
    batch_first: bool = False  # x and outputs are (B, T, …)
    stacked: bool = False  # the state's fields are (D, B, H), not (B, H)


def size_of(call: Call, read: Tensor) -> LayerSize:
    """The call's, where that is read: x, or a direction's x_gates."""
    given = read.shape
    rows, width = given[0], given[-1]
    if call.batch_sizes is not None:
        steps = len(call.batch_sizes)
    elif call.ids is not None:
        steps = len(call.ids)
    else:
        steps = given[1] if call.batch_first else rows
    tokens = steps * call.batch if call.batch_sizes is None else rows
    return LayerSize(
        call.kind.code,
        steps,
        call.batch,
        call.hidden,
        width,
        rows,
        tokens,
        call.batch_first,
        call.reverse,
        call.directions,
        call.stacked,
    )
