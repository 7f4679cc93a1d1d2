"""The forward pass of the node: room for its results, and the native call."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from recurra import kernels
from recurra.fused._call import BEFORE, BIAS, BIAS_HH, IH, Call, X, size_of
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
    x = given[0]
    read = given[BEFORE - X] if x is None else x
    assert read is not None
    size, kind, hidden, directions = size_of(call, read), call.kind, call.hidden, call.directions
    # Sizes one by one: torch takes a third of a microsecond more to read a tuple of them.
    outputs = read.new_empty(*_outputs_shape(call, size))
    state = (directions, call.batch, hidden) if call.stacked else (call.batch, hidden)
    final = [read.new_empty(*state) for _ in range(kind.fields)]
    kept: list[Tensor | None] = [None] * (2 * directions)  # gates (N, G·H), then extra (N, H)
    if training and kind.keeps_gates:
        widths = [kind.gates * hidden] * directions + [hidden] * directions
        kept = [spare.take(read, size.tokens, width) for width in widths]
    left = [call.lengths, call.batch_sizes, call.order, call.ids, *given, *kept, outputs]
    kernels.run_forward(size, left, final, threads=torch.get_num_threads())
    for at in range(BEFORE, BEFORE + WEIGHTS * directions, WEIGHTS):
        left[at + BIAS] = left[at + BIAS_HH] = None
        if x is None:
            left[at + IH] = None  # x_gates
    return Done(outputs, final, size, left)


def _outputs_shape(call: Call, size: LayerSize) -> tuple[int, ...]:
    """In the form of what is read."""
    width = call.directions * call.hidden
    if call.batch_sizes is not None:
        return size.tokens, width
    if call.batch_first:
        return call.batch, size.steps, width
    return size.steps, call.batch, width
