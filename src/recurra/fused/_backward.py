"""The backward pass of the node: a gradient for whatever wants one.

The native call turns the gates into their gradients and makes every other gradient of them, but
for a table's.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from recurra import kernels
from recurra.fused._call import EACH, Call, address


class Saved(NamedTuple):
    """What forward left, of all directions."""

    source: Tensor | None
    h0: Tensor | None
    c0: Tensor | None
    weights: tuple[Tensor | None, ...]
    gates: tuple[Tensor | None, ...]
    extra: tuple[Tensor | None, ...]
    outputs: Tensor


def gradients(
    call: Call,
    shapes: list[kernels.Shape],
    symbols: int,
    saved: Saved,
    wants: tuple[bool, ...],
    d_outputs: Tensor | None,
    d_final: tuple[Tensor | None, ...],
) -> tuple[Tensor | None, ...]:
    """The gradients of source, h0, c0 and each direction's weights, None where not wanted.

    `symbols` is how many rows the table had where there are ids.
    """
    d_h0 = torch.empty_like(saved.h0) if wants[1] and saved.h0 is not None else None
    d_c0 = torch.empty_like(saved.c0) if wants[2] and saved.c0 is not None else None
    final = [None if one is None else one.contiguous() for one in d_final]
    above = _Above(call, d_outputs)
    work: list[kernels.Shape | kernels.Backward] = []
    each = []
    for index, shape in enumerate(shapes):
        shape = _moved(shape, call, index, saved)
        one = _Direction(call, index, saved, wants)
        each.append(one)
        state = index * call.batch * call.hidden
        own = kernels.Backward(
            address(one.gates),
            address(one.extra),
            address(saved.outputs, index * call.hidden),
            *above.of(index),
            address(final[0], state),
            address(final[1], state) if len(final) == 2 else 0,
            address(d_h0, state),
            address(d_c0, state),
            address(one.d_input),
            *one.addresses(),
        )
        work += shape, own
    kernels.run_backward(*work)
    d_source = None
    for one in each:
        part = one.d_source(symbols)
        d_source = part if d_source is None or part is None else d_source.add_(part)
    return (d_source, d_h0, d_c0, *(d for one in each for d in one.d_weights))


def _moved(shape: kernels.Shape, call: Call, index: int, saved: Saved) -> kernels.Shape:
    """The shape with the addresses of what was saved: hooks may have put copies in its place."""
    weight_ih, weight_hh, _, _, other = saved.weights[EACH * index : EACH * (index + 1)]
    state = index * call.batch * call.hidden
    return shape._replace(
        lengths=address(call.lengths),
        batch_sizes=address(call.batch_sizes),
        order=address(call.order),
        weight_hh=address(weight_hh),
        weight_hn=address(other) if shape.weight_hn else 0,
        input=address(saved.source) if shape.input else 0,
        weight_ih=address(weight_ih) if shape.weight_ih else 0,
        h0=address(saved.h0, state),
        c0=address(saved.c0, state),
    )


class _Above:
    """The gradient of the outputs in any layout whose rows are contiguous, or one number for all.

    The latter is what a sum gives: nothing need be written out.
    """

    def __init__(self, call: Call, d_outputs: Tensor | None) -> None:
        self.given, self.same, self.hidden = d_outputs, False, call.hidden
        self.step = self.sequence = 0
        if d_outputs is None:
            return
        self.given = d_outputs = d_outputs.resolve_neg()  # a sign that is not in memory
        stride = d_outputs.stride()
        self.same = not any(stride)
        if not self.same and stride[-1] != 1:
            self.given = d_outputs = d_outputs.contiguous()
            stride = d_outputs.stride()
        self.step, self.sequence = stride[0], stride[-2]
        if call.batch_first:
            self.step, self.sequence = self.sequence, self.step

    def of(self, index: int) -> tuple[int, int, int, bool]:
        """A direction's address and layout, and whether it is one number for all."""
        at = address(self.given, 0 if self.same else index * self.hidden)
        return at, self.step, self.sequence, self.same


class _Direction:
    """A direction's gradients: room for the native call to fill."""

    def __init__(self, call: Call, index: int, saved: Saved, wants: tuple[bool, ...]) -> None:
        each = slice(EACH * index, EACH * (index + 1))
        weights = saved.weights[each]
        self.call = call
        self.gates, self.extra = saved.gates[index], saved.extra[index]
        # of weight_ih, weight_hh, bias, bias_hh and other
        self.d_weights = [
            torch.empty_like(one) if want and one is not None else None
            for one, want in zip(weights, wants[3:][each], strict=True)
        ]
        self.wants_source, self.d_input = wants[0], None
        if weights[0] is not None:
            if wants[0] and saved.source is not None:
                self.d_input = torch.empty_like(saved.source)
        elif self.gates is None:
            tokens = saved.outputs.numel() // (call.hidden * len(call.reverse))
            self.gates = saved.outputs.new_empty((tokens, call.kind.gates * call.hidden))

    def addresses(self) -> tuple[int, ...]:
        """Of d_weight_ih, d_weight_hh, d_weight_hn, d_bias, d_bias_hh and d_bias_hn."""
        d_ih, d_hh, d_bias, d_bias_hh, d_other = self.d_weights
        other = self.call.kind.other
        d_hn = d_other if other == "weight_hn" else None
        d_bias_hn = 0
        if other == "bias_hn":
            d_bias_hn = address(d_other) or address(d_bias_hh, 2 * self.call.hidden)
        return (
            address(d_ih),
            address(d_hh),
            address(d_hn),
            address(d_bias),
            address(d_bias_hh),
            d_bias_hn,
        )

    def d_source(self, symbols: int) -> Tensor | None:
        """The source's gradient, once the native call is done."""
        if self.d_input is not None or not self.wants_source:
            return self.d_input
        assert self.gates is not None
        if self.call.ids is None:
            return self.gates.view(-1, self.call.batch, self.gates.shape[1])
        sums = self.gates.new_empty(symbols, self.gates.shape[1])
        ids = self.call.ids.flatten()
        kernels.sum_rows(self.gates, ids, sums, threads=torch.get_num_threads())
        return sums
