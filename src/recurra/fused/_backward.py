"""The backward pass of the node: a gradient for whatever wants one.

The native call turns the gates into their gradients and makes every other gradient of them, but
for tables'.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from recurra import kernels
from recurra.fused._call import BEFORE, H0, IDS, IH, Call, X
from recurra.kernels import WEIGHTS, LayerSize


def gradients(
    call: Call,
    size: LayerSize,
    left: Sequence[Tensor | None],
    wants: tuple[bool, ...],
    d_outputs: Tensor | None,
    d_final: tuple[Tensor | None, ...],
) -> tuple[Tensor | None, ...]:
    """The gradients of x, h0, c0 and each direction's weights, None where not wanted.

    `left` is what forward left, wherever hooks have put it since. Biases and x_gates are None
    there: nothing here needs their numbers.
    """
    gates_at = BEFORE + WEIGHTS * call.directions
    x, ids, outputs = left[X], left[IDS], left[-1]
    assert outputs is not None
    wide = call.kind.gates * call.hidden
    wants_x, *wants_each = wants
    # Where x_gates stand in `found`: their gradient stands where gates do, nothing is filled.
    places = range(BEFORE - H0 + IH if x is None else len(wants_each), len(wants_each), WEIGHTS)
    fills = wants_each.copy()
    for place in places:
        fills[place] = False
    found = [
        None if not fill else outputs.new_empty(wide) if one is None else torch.empty_like(one)
        for one, fill in zip(left[H0:gates_at], fills, strict=True)
    ]
    x_gates: dict[int, Tensor] = {}  # by those places
    for gate_at, place in enumerate(places, gates_at):
        if wants_each[place]:
            gates = left[gate_at]
            if gates is None:
                gates = outputs.new_empty(size.tokens, wide)
                left = [*left[:gate_at], gates, *left[gate_at + 1 :]]
            x_gates[place] = gates
    inputs: list[Tensor] = []  # the gradient of x, by each direction
    if wants_x and x is not None:
        # not new_empty(x.shape): torch reads a Size in three times what the rest takes
        inputs = [
            torch.empty_like(x) if ids is None else x.new_empty(size.tokens, size.width)
            for _ in range(call.directions)
        ]
    above = _above(call, d_outputs)
    final = [None if one is None else one.resolve_neg().contiguous() for one in d_final]
    threads = torch.get_num_threads()
    kernels.run_backward(size, left, above, final, found, inputs, threads=threads)
    if ids is not None:
        inputs = [_by_row(size, one, ids) for one in inputs]
    for place, one in x_gates.items():
        by_step = size.steps, call.batch, wide
        found[place] = one.view(by_step) if ids is None else _by_row(size, one, ids)
    d_x = None
    if inputs:
        d_x, *more = inputs
        for one in more:
            d_x.add_(one)
    return d_x, *found


def _above(call: Call, d_outputs: Tensor | None) -> tuple[Tensor | None, int, int, bool]:
    """The gradient of the outputs with rows that are contiguous, or one number for all of them,
    and how far it is there from a step to the next and from a sequence to the next.

    The one number is what a sum gives: nothing need be written out. Its sign, and the final
    state's, may stand elsewhere than in memory.
    """
    if d_outputs is None:
        return None, 0, 0, False
    if d_outputs.is_neg():
        d_outputs = d_outputs.resolve_neg()
    stride = d_outputs.stride()
    same = not any(stride)
    if stride[-1] != 1 and not same:
        d_outputs = d_outputs.contiguous()
        stride = d_outputs.stride()
    step, sequence = stride[0], stride[-2]
    return d_outputs, *((sequence, step) if call.batch_first else (step, sequence)), same


def _by_row(size: LayerSize, tokens: Tensor, ids: Tensor) -> Tensor:
    """The gradient of a table from that of each token's row."""
    sums = tokens.new_empty(size.rows, size.width)
    kernels.sum_rows(tokens, ids.flatten(), sums, threads=torch.get_num_threads())
    return sums
