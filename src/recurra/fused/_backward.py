"""The backward pass of the node: a gradient for whatever wants one.

Where the native call made x_gates it makes every gradient too; elsewhere it turns the gates into
their gradients, and those over all tokens are torch's GEMMs.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from recurra import kernels
from recurra.fused import _products as products
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
    by_gemm: bool  # whether torch makes what is not recurrent


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
            address(one.h_before),
            address(one.d_input),
            *one.addresses(),
        )
        work += shape, own
    kernels.run_backward(*work)
    d_source = None
    for one in each:
        part = one.finish(symbols)
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
    """A direction's gradients: room for those that the native call fills, and torch's after it."""

    def __init__(self, call: Call, index: int, saved: Saved, wants: tuple[bool, ...]) -> None:
        each = slice(EACH * index, EACH * (index + 1))
        weights = saved.weights[each]
        self.call, self.source, self.weight_ih = call, saved.source, weights[0]
        self.gates, self.extra = saved.gates[index], saved.extra[index]
        # of weight_ih, weight_hh, bias, bias_hh and other
        self.d_weights = [
            torch.empty_like(one) if want and one is not None else None
            for one, want in zip(weights, wants[3:][each], strict=True)
        ]
        self.wants_source, self.by_gemm = wants[0], saved.by_gemm
        self.d_input = self.h_before = None
        like, hidden = saved.outputs, call.hidden
        if self.weight_ih is None or saved.by_gemm:
            tokens = like.numel() // (hidden * len(call.reverse))
            if self.gates is None:
                self.gates = like.new_empty((tokens, call.kind.gates * hidden))
            if saved.by_gemm:
                self.h_before = like.new_empty((tokens, hidden))
        elif wants[0] and saved.source is not None:
            self.d_input = torch.empty_like(saved.source)

    def addresses(self) -> tuple[int, ...]:
        """Of d_weight_ih, d_weight_hh, d_weight_hn, d_bias, d_bias_hh and d_bias_hn."""
        d_ih, d_hh, d_bias, d_bias_hh, d_other = self.d_weights
        other = self.call.kind.other
        d_hn = d_other if other == "weight_hn" else None
        if self.by_gemm:
            d_ih = d_hh = d_hn = None
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

    def finish(self, symbols: int) -> Tensor | None:
        """The source's gradient, once the native call is done; torch's GEMMs for the others."""
        if self.by_gemm:
            assert self.gates is not None
            assert self.h_before is not None
            d_ih, d_hh, _, _, d_other = self.d_weights
            products.recurrent_gradients(
                self.call.kind, self.gates, self.extra, self.h_before, d_hh, d_other
            )
            if d_ih is not None:
                assert self.source is not None
                x = products.by_token(self.source, self.call.batch_first)
                torch.mm(self.gates.t(), x, out=d_ih)
        if self.weight_ih is not None and not self.by_gemm:
            return self.d_input
        if not self.wants_source:
            return None
        assert self.gates is not None
        if self.call.ids is not None:
            return products.table_gradient(symbols, self.call.ids, self.gates)
        if self.weight_ih is None:
            return self.gates.view(-1, self.call.batch, self.gates.shape[1])
        assert self.source is not None
        flat = torch.mm(self.gates, self.weight_ih)
        return products.as_source(flat, self.source, self.call.batch_first)
