"""The forward pass of the node: room for its results, and the native call."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from recurra import kernels
from recurra.fused._call import BEFORE, BIAS, BIAS_HH, SOURCE, Call, size_of
from recurra.fused._memory import spare
from recurra.kernels import WEIGHTS, LayerSize


class Done(NamedTuple):
    """A forward pass: its results, and what the backward pass needs."""

    outputs: Tensor
    final: list[Tensor]
    size: LayerSize
    left: list[Tensor | None]  # in the order of _call.py


def forward(call: Call, training: bool, tensors: tuple[Tensor | None, ...]) -> Done:
    """Runs it; tensors as in `run`.

    Gates and `extra` are kept where the pass is for training and the cell has them; the backward
    pass puts the gates' gradients in their place.
    """
    given = [None if one is None else one.contiguous() for one in tensors]
    source = given[0]
    assert source is not None
    size, kind, hidden, directions = size_of(call, source), call.kind, call.hidden, call.directions
    # Sizes one by one: torch takes a third of a microsecond more to read a tuple of them.
    outputs = source.new_empty(*_outputs_shape(call, size))
    state = (directions, call.batch, hidden) if call.stacked else (call.batch, hidden)
    final = [source.new_empty(*state) for _ in range(kind.fields)]
    kept: list[Tensor | None] = [None] * (2 * directions)  # gates (N, G·H), then extra (N, H)
    if training and kind.keeps_gates:
        widths = [kind.gates * hidden] * directions + [hidden] * directions
        kept = [spare.take(source, size.tokens, width) for width in widths]
    left = [call.lengths, call.batch_sizes, call.order, call.ids, *given, *kept, outputs]
    kernels.run_forward(size, left, final, threads=torch.get_num_threads())
    if call.ids is not None:
        left[SOURCE] = None  # the table itself is not needed again
    for at in range(BEFORE, BEFORE + WEIGHTS * directions, WEIGHTS):
        left[at + BIAS] = left[at + BIAS_HH] = None  # nor are the biases
    return Done(outputs, final, size, left)


def _outputs_shape(call: Call, size: LayerSize) -> tuple[int, ...]:
    """In the source's form."""
    width = call.directions * call.hidden
    if call.batch_sizes is not None:
        return size.tokens, width
    if call.batch_first:
        return call.batch, size.steps, width
    return size.steps, call.batch, width
