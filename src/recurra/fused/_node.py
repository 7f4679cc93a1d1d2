"""The autograd node of a layer: input and recurrence, both directions, one native call each way.

What each pass does is in `_forward.py` and `_backward.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from weakref import ref

import torch
from torch import Tensor
from torch.autograd import Function

from recurra import kernels
from recurra.errors import ConfigError
from recurra.fused._backward import gradients
from recurra.fused._call import IDS, Call, X
from recurra.fused._forward import forward
from recurra.fused._memory import spare


def run(call: Call, *tensors: Tensor | None) -> tuple[Tensor, ...]:
    """Outputs (T, B, D·H) and the fields of the final state.

    tensors, all `readable`: x (T, B, I), h0 and c0 (None: zero), and for each direction weight_ih,
    weight_hh, bias, bias_hh (torch's second one, the gru's with b_hn at its end) and the cell's
    other weight. With x None x_gates (T, B, G·H) stand in each weight_ih's place. With ids, x or
    each x_gates is a table, (V, I) or (V, G·H).
    """
    if torch.is_grad_enabled():
        for one in tensors:
            if one is not None and one.requires_grad:
                return _apply(call, *tensors)  # type: ignore[no-any-return]
    done = forward(call, False, tensors)
    return done.outputs, *done.final


class _Sequence(Function):
    """The node: x, h0, c0 and each direction's weights to outputs and final state."""

    @staticmethod
    def forward(ctx: Any, call: Call, *tensors: Any) -> tuple[Tensor, ...]:
        done = forward(call, True, tensors)
        ctx.call, ctx.size = call, done.size
        ctx.set_materialize_grads(False)
        if call.kind.keeps_gates:
            ctx.own = [ref(one) for one in _kept(call, done.left)]
        ctx.save_for_backward(*done.left)
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
        call: Call = ctx.call
        try:
            saved = ctx.saved_tensors
        except RuntimeError as error:
            raise _advised(error) from None
        left: Sequence[Tensor | None] = saved
        if not kernels.all_in_place(saved, X):
            left = [_as_saved(one, place) for place, one in enumerate(saved)]
        own = []
        if call.kind.keeps_gates:
            kept = _kept(call, left)
            if torch._C._autograd._get_current_graph_task_keep_graph():
                # they are overwritten, and somebody will come this way again
                left = (*left[: -1 - len(kept)], *(one.clone() for one in kept), left[-1])
            elif left[X] is not None or left[IDS] is not None:
                # Else they are the gradient of x_gates. The very tensors that forward made, not
                # what a hook put in their place.
                own = [one for one, made in zip(kept, ctx.own, strict=True) if one is made()]
        try:
            found = gradients(call, ctx.size, left, ctx.needs_input_grad[1:], d_outputs, d_final)
        except RuntimeError:
            if _in_memory(d_outputs, *d_final):
                raise
            raise ConfigError(
                "the native kernels take one gradient at a time, not many as is_grads_batched=True "
                "and vectorize=True give, and no sparse one. Leave that out, or set the "
                "environment variable RECURRA_KERNELS=off."
            ) from None
        for one in own:
            spare.give(one)
        return None, *found


def _advised(error: RuntimeError) -> RuntimeError:
    """torch's error for a saved tensor that was changed since, with the way out of it."""
    if "inplace" not in str(error):
        return error
    return RuntimeError(
        f"{error} The backward pass of a recurrent layer reads its input, start state, weights and "
        "output: change none of them between forward and backward (on the output no relu_, no "
        "dropout with inplace=True; the optimizer's step after backward)."
    )


def _in_memory(*tensors: Tensor | None) -> bool:
    try:
        for one in tensors:
            if one is not None:
                one.data_ptr()
    except RuntimeError:
        return False
    return True


def _as_saved(unpacked: Tensor | None, place: int) -> Tensor | None:
    """What a hook gave back, in the layout that the native call reads."""
    kind = torch.int64 if place < X else torch.float32
    if unpacked is None:
        return None
    if unpacked.dtype is not kind or not unpacked.is_cpu:
        raise ConfigError(
            f"hooks for saved tensors must give back what they took, here {kind} on the CPU, but "
            f"there is {unpacked.dtype} on {unpacked.device}. Convert it in the unpack hook, or "
            "if no hook did it, give no weight's `.data` another type between the passes."
        )
    return unpacked.resolve_neg().contiguous()


def _kept(call: Call, left: Sequence[Any]) -> Sequence[Any]:
    """Each direction's gates, then each one's extra."""
    return left[-1 - 2 * call.directions : -1]


# Function.apply looks at each argument for what function transforms leave, 2 of the 90 us that a
# pass of one short sequence takes; `readable` has.
_apply: Any = super(Function, _Sequence).apply
