"""The backward pass of the node: a gradient for whatever wants one.

The native call turns the gates into their gradients and makes every other gradient of them, but
for a table's.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from recurra import kernels
from recurra.fused._call import BEFORE, EACH, FLOAT, H0, IDS, SOURCE, Call, Extent, addresses, shape


def gradients(
    call: Call,
    size: Extent,
    left: Sequence[Tensor | None],
    wants: tuple[bool, ...],
    d_outputs: Tensor | None,
    d_final: tuple[Tensor | None, ...],
) -> tuple[Tensor | None, ...]:
    """The gradients of source, h0, c0 and each direction's weights, None where not wanted.

    `left` is what forward left, wherever hooks have put it since.
    """
    at, gates_at = addresses(left), BEFORE + EACH * len(call.reverse)
    source, weight_ih, gates, outputs = left[SOURCE], left[BEFORE], left[gates_at], left[-1]
    assert outputs is not None
    found = [
        torch.empty_like(one) if want and one is not None else None
        for one, want in zip(left[H0:gates_at], wants[1:], strict=True)
    ]
    inputs: list[Tensor] = []  # the source's gradient by each direction
    if wants[0] and weight_ih is None:  # it is x_gates, whose gradient stands where gates stood
        if gates is None:
            gates = outputs.new_empty((size.tokens, size.width))
            at[gates_at] = gates.data_ptr()
    elif wants[0] and source is not None:
        inputs = [torch.empty_like(source) for _ in call.reverse]
    above = _rows(d_outputs)  # of both the sign may stand elsewhere than in memory
    final = [None if one is None else one.resolve_neg().contiguous() for one in d_final]
    to, final_at, inputs_at = addresses(found), addresses(final), addresses(inputs)
    work: list[kernels.Shape | kernels.Backward] = []
    for index in range(len(call.reverse)):
        d_input = inputs_at[index] if inputs else 0
        own = _own(call, index, at, above, final_at, d_input, to)
        work += shape(call, size, at, index), own
    kernels.run_backward(*work)
    d_source = None
    if inputs:
        d_source, *more = inputs
        for one in more:
            d_source.add_(one)
    elif wants[0] and gates is not None:
        d_source = _of_gates(call, size, gates, left[IDS])
    return d_source, *found


def _own(
    call: Call,
    index: int,
    at: list[int],
    above: Tensor | None,
    final: list[int],
    d_input: int,
    to: list[int],
) -> kernels.Backward:
    directions, other, part = len(call.reverse), call.kind.other, index * call.hidden * FLOAT
    gates, state = BEFORE + EACH * directions + index, part * call.batch
    d_h0, d_c0 = to[:2]
    d_ih, d_hh, d_bias, d_bias_hh, d_other = to[2 + EACH * index : 2 + EACH * (index + 1)]
    d_bias_hn = 0
    if other == "bias_hn":
        d_bias_hn = d_other or (d_bias_hh and d_bias_hh + 2 * call.hidden * FLOAT)
    d_outputs, step, sequence, same = 0, 0, 0, False
    if above is not None:
        stride = above.stride()
        step, sequence, same = stride[0], stride[-2], not any(stride)
        if call.batch_first:
            step, sequence = sequence, step
        d_outputs = above.data_ptr() + (0 if same else part)
    return kernels.Backward(
        at[gates],
        at[gates + directions],
        at[-1] + part,
        d_outputs,
        step,
        sequence,
        same,
        final[0] and final[0] + state,
        final[1] and final[1] + state if len(final) == 2 else 0,
        d_h0 and d_h0 + state,
        d_c0 and d_c0 + state,
        d_input,
        d_ih,
        d_hh,
        d_other if other == "weight_hn" else 0,
        d_bias,
        d_bias_hh,
        d_bias_hn,
    )


def _rows(d_outputs: Tensor | None) -> Tensor | None:
    """The gradient of the outputs in a layout whose rows are contiguous, or one number for all.

    The latter is what a sum gives: nothing need be written out.
    """
    if d_outputs is None:
        return None
    d_outputs = d_outputs.resolve_neg()
    stride = d_outputs.stride()
    return d_outputs if stride[-1] == 1 or not any(stride) else d_outputs.contiguous()


def _of_gates(call: Call, size: Extent, gates: Tensor, ids: Tensor | None) -> Tensor:
    """The source's gradient where that is x_gates, or with ids a table of them."""
    if ids is None:
        return gates.view(size.steps, call.batch, size.width)
    sums = gates.new_empty(size.rows, size.width)
    kernels.sum_rows(gates, ids.flatten(), sums, threads=torch.get_num_threads())
    return sums
