"""What a call of the node is beside its tensors, and what both native calls are told of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor

from recurra import kernels

# What forward leaves for backward is one list: lengths, batch_sizes, order, ids, source, h0, c0;
# then each direction's weights, its gates, its extra; then outputs.
IDS, SOURCE, H0, BEFORE = 3, 4, 5, 7  # where those stand, and how many stand before the weights
EACH = 5  # tensors of a direction: weight_ih, weight_hh, bias, bias_hh, other
FLOAT = 4  # bytes


class Call(NamedTuple):
    """A layer's cell, sizes, directions and form of input."""

    kind: kernels.Kind
    batch: int
    hidden: int
    reverse: tuple[bool, ...]  # a direction each
    lengths: Tensor | None = None  # (B,) int64
    ids: Tensor | None = None  # (T, B) int64: the source is a table of x_gates
    batch_sizes: Tensor | None = None  # (T,) int64: the source is packed, (N, I)
    order: Tensor | None = None  # (B,) int64: where packed sequence b stands in the states
    batch_first: bool = False  # source and outputs are (B, T, …)
    stacked: bool = False  # the state's fields are (D, B, H), not (B, H)

    def layout(self, steps: int, width: int) -> tuple[int, int]:
        """Floats from a step's row to the next step's, and from a sequence's to the next one's."""
        if self.batch_sizes is not None:
            return width, width
        return (width, steps * width) if self.batch_first else (self.batch * width, width)


class Extent(NamedTuple):
    """How much there is of the source."""

    steps: int
    tokens: int  # N
    rows: int  # of a table, where there are ids
    width: int  # of a row


def extent(call: Call, source: Tensor) -> Extent:
    """The source's."""
    rows, *_, width = given = source.shape
    if call.batch_sizes is not None:
        return Extent(len(call.batch_sizes), rows, 0, width)
    if call.ids is not None:
        steps = len(call.ids)
        return Extent(steps, steps * call.batch, rows, width)
    steps = given[1] if call.batch_first else rows
    return Extent(steps, steps * call.batch, 0, width)


def addresses(tensors: Iterable[Tensor | None]) -> list[int]:
    """Where each tensor's numbers begin; 0 for none."""
    return [0 if one is None else one.data_ptr() for one in tensors]


def shape(call: Call, size: Extent, at: list[int], index: int) -> kernels.Shape:
    """A direction's; `at` has the addresses of what forward leaves, or will leave."""
    lengths, batch_sizes, order, _, source, h0, c0 = at[:BEFORE]
    first = BEFORE + EACH * index
    weight_ih, weight_hh, _, _, other = at[first : first + EACH]
    state = index * call.batch * call.hidden * FLOAT
    width = size.width if weight_ih else 0
    return kernels.Shape(
        call.kind.code,
        size.steps,
        call.batch,
        call.hidden,
        lengths,
        batch_sizes,
        order,
        call.reverse[index],
        torch.get_num_threads(),
        weight_hh,
        other if call.kind.other == "weight_hn" else 0,
        width,
        source if weight_ih else 0,
        *call.layout(size.steps, width),
        weight_ih,
        h0 and h0 + state,
        c0 and c0 + state,
        *call.layout(size.steps, len(call.reverse) * call.hidden),
        size.tokens if batch_sizes else 0,
    )
