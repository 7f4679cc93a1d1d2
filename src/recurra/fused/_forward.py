"""The forward pass of the node: room for its results, and addresses for the native call."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from recurra import kernels
from recurra.fused._call import (
    BEFORE,
    EACH,
    FLOAT,
    IDS,
    SOURCE,
    Call,
    Extent,
    addresses,
    extent,
    shape,
)
from recurra.fused._memory import spare


class Done(NamedTuple):
    """A forward pass: its results, and what the backward pass needs."""

    outputs: Tensor
    final: list[Tensor]
    size: Extent
    left: list[Tensor | None]  # in the order of _call.py


def forward(call: Call, training: bool, tensors: tuple[Tensor | None, ...]) -> Done:
    """Runs it; tensors as in `run`.

    Gates and `extra` are kept where the pass is for training and the cell has them; the backward
    pass puts the gates' gradients in their place.
    """
    given = [None if one is None else one.contiguous() for one in tensors]
    source = given[0]
    assert source is not None
    size, kind, hidden, directions = extent(call, source), call.kind, call.hidden, len(call.reverse)
    outputs = source.new_empty(_outputs_shape(call, size))
    state = (directions, call.batch, hidden) if call.stacked else (call.batch, hidden)
    final = [source.new_empty(state) for _ in range(kind.fields)]
    kept: list[Tensor | None] = [None] * (2 * directions)  # gates (N, G·H), then extra (N, H)
    if training and kind.keeps_gates:
        widths = [kind.gates * hidden] * directions + [hidden] * directions
        kept = [spare.take(source, size.tokens, width) for width in widths]
    left = [call.lengths, call.batch_sizes, call.order, call.ids, *given, *kept, outputs]
    at, final_at = addresses(left), addresses(final)
    work: list[kernels.Shape | kernels.Forward] = []
    for index in range(directions):
        work += shape(call, size, at, index), _own(call, size, at, final_at, index)
    kernels.run_forward(*work)
    if call.ids is not None:
        left[SOURCE] = None  # the table itself is not needed again
    return Done(outputs, final, size, left)


def _outputs_shape(call: Call, size: Extent) -> tuple[int, ...]:
    """In the source's form."""
    width = len(call.reverse) * call.hidden
    if call.batch_sizes is not None:
        return size.tokens, width
    if call.batch_first:
        return call.batch, size.steps, width
    return size.steps, call.batch, width


def _own(call: Call, size: Extent, at: list[int], final: list[int], index: int) -> kernels.Forward:
    first, directions = BEFORE + EACH * index, len(call.reverse)
    weight_ih, _, bias, bias_hh, other = at[first : first + EACH]
    gates = BEFORE + EACH * directions + index
    state = index * call.batch * call.hidden * FLOAT
    bias_hn = 0
    if call.kind.other == "bias_hn":
        bias_hn = other or (bias_hh and bias_hh + 2 * call.hidden * FLOAT)
    return kernels.Forward(
        0 if weight_ih else at[SOURCE],
        at[IDS],
        size.rows,
        bias,
        bias_hh,
        bias_hn,
        at[-1] + index * call.hidden * FLOAT,
        final[0] + state,
        final[1] + state if call.kind.fields == 2 else 0,
        at[gates],
        at[gates + directions],
    )
