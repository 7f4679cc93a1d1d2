"""The backward pass of the node: a gradient for whatever wants one.

The native call turns the gates into their gradients and makes every other gradient of them, but
for a table's.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from recurra import kernels
from recurra.fused._call import BEFORE, H0, IDS, SOURCE, Call
from recurra.kernels import WEIGHTS, LayerSize


def gradients(
    call: Call,
    size: LayerSize,
    left: Sequence[Tensor | None],
    wants: tuple[bool, ...],
    d_outputs: Tensor | None,
    d_final: tuple[Tensor | None, ...],
) -> tuple[Tensor | None, ...]:
    """The gradients of source, h0, c0 and each direction's weights, None where not wanted.

    `left` is what forward left, wherever hooks have put it since. Biases are None there: nothing
    here needs their numbers.
    """
    gates_at = BEFORE + WEIGHTS * call.directions
    source, weight_ih, gates, outputs = left[SOURCE], left[BEFORE], left[gates_at], left[-1]
    assert outputs is not None
    bias = call.kind.gates * call.hidden
    found = [
        None if not want else outputs.new_empty(bias) if one is None else torch.empty_like(one)
        for one, want in zip(left[H0:gates_at], wants[1:], strict=True)
    ]
    inputs: list[Tensor] = []  # the source's, by each direction
    if wants[0] and weight_ih is None:  # it is x_gates, whose gradient stands where gates stood
        if gates is None:
            gates = outputs.new_empty((size.tokens, size.width))
            left = [*left[:gates_at], gates, *left[gates_at + 1 :]]
    elif wants[0] and source is not None:
        inputs = [torch.empty_like(source) for _ in range(call.directions)]
    above = _above(call, d_outputs)
    final = [None if one is None else one.resolve_neg().contiguous() for one in d_final]
    threads = torch.get_num_threads()
    kernels.run_backward(size, left, above, final, found, inputs, threads=threads)
    d_source = None
    if inputs:
        d_source, *more = inputs
        for one in more:
            d_source.add_(one)
    elif wants[0] and gates is not None:
        d_source = _of_gates(call, size, gates, left[IDS])
    return d_source, *found


def _above(call: Call, d_outputs: Tensor | None) -> tuple[Tensor | None, int, int, bool]:
    """The gradient of the outputs with rows that are contiguous, or one number for all of them,
    and how far it is there from a step to the next and from a sequence to the next.

    The one number is what a sum gives: nothing need be written out. Its sign, and the final
    state's, may stand elsewhere than in memory.
    """
    if d_outputs is None:
        return None, 0, 0, False
    d_outputs = d_outputs.resolve_neg()
    stride = d_outputs.stride()
    same = not any(stride)
    if stride[-1] != 1 and not same:
        d_outputs = d_outputs.contiguous()
        stride = d_outputs.stride()
    step, sequence = stride[0], stride[-2]
    return d_outputs, *((sequence, step) if call.batch_first else (step, sequence)), same


def _of_gates(call: Call, size: LayerSize, gates: Tensor, ids: Tensor | None) -> Tensor:
    """The source's gradient where that is x_gates, or with ids a table of them."""
    if ids is None:
        return gates.view(size.steps, call.batch, size.width)
    sums = gates.new_empty(size.rows, size.width)
    kernels.sum_rows(gates, ids.flatten(), sums, threads=torch.get_num_threads())
    return sums
