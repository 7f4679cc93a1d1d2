"""The autograd node of a layer: input and recurrence, both directions, one native call each way.

What each pass does is in `_forward.py` and `_backward.py`.
"""

from __future__ import annotations

from typing import Any
from weakref import ref

import torch
from torch import Tensor
from torch.autograd import Function

from recurra.errors import ConfigError
from recurra.fused._backward import Saved, gradients
from recurra.fused._call import EACH, Call
from recurra.fused._forward import Pass
from recurra.fused._memory import spare


def run(call: Call, *tensors: Tensor | None) -> tuple[Tensor, ...]:
    """Outputs (T, B, D·H) and the fields of the final state.

    tensors: the source, h0 and c0 (None: zero), and for each direction weight_ih, weight_hh, bias,
    bias_hh (torch's second one, the gru's with b_hn at its end) and the cell's other weight. The
    source is x (T, B, I), or with weight_ih None x_gates, or with ids a table of them.
    """
    if torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in tensors):
        return _Sequence.apply(call, *tensors)  # type: ignore[no-untyped-call,no-any-return]
    done = Pass(call, False, tensors)
    return done.outputs, *done.final


class _Sequence(Function):
    """The node: source, h0, c0 and each direction's weights to outputs and final state."""

    @staticmethod
    def forward(ctx: Any, call: Call, *tensors: Any) -> tuple[Tensor, ...]:
        done = Pass(call, True, tensors)
        ctx.call, ctx.shapes = call, done.shapes
        source: Tensor | None = done.source
        if call.ids is not None:
            ctx.symbols = len(done.source)
            source = None  # the table itself is not needed again
        ctx.set_materialize_grads(False)
        ctx.own = [None if one is None else ref(one) for one in (*done.gates, *done.extra)]
        kept = (*done.weights, *done.gates, *done.extra, done.outputs)
        ctx.save_for_backward(
            call.ids, call.lengths, call.batch_sizes, call.order, source, done.h0, done.c0, *kept
        )
        return done.outputs, *done.final

    @staticmethod
    def backward(
        ctx: Any, d_outputs: Tensor | None, *d_final: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            raise ConfigError(
                "the native kernels have no second derivative (create_graph=True). "
                "Set the environment variable RECURRA_KERNELS=off, or use float64."
            )
        ids, lengths, batch_sizes, order, source, h0, c0, *more, outputs = ctx.saved_tensors
        call: Call = ctx.call._replace(
            ids=ids, lengths=lengths, batch_sizes=batch_sizes, order=order
        )
        directions = len(call.reverse)
        weights, kept = more[: EACH * directions], more[EACH * directions :]
        # The very tensors that forward made, not what a hook put in their place.
        own = [one for one, made in zip(kept, ctx.own, strict=True) if made and one is made()]
        if call.kind.keeps_gates and torch._C._autograd._get_current_graph_task_keep_graph():
            # they are overwritten, and somebody will come this way again
            kept, own = [one.clone() for one in kept], []
        gates, extra = kept[:directions], kept[directions:]
        saved = Saved(source, h0, c0, weights, gates, extra, outputs)
        symbols = ctx.symbols if call.ids is not None else 0
        wants = ctx.needs_input_grad[1:]
        found = gradients(call, ctx.shapes, symbols, saved, wants, d_outputs, d_final)
        if weights[0] is not None or ids is not None:  # else they are the source's gradient
            for one in own:
                spare.give(one)
        return None, *found
