"""A layer in one direction on torch as one autograd node over the native kernels.

The node spans input and recurrence: x_gates come from one GEMM (or from the rows of a table) and
are overwritten by the gates, those by their gradients; the weights' gradients are GEMMs over all
steps. Which layers come here is `takes`; all others go through the loop of `step` in `layers/`.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd import Function

from recurra import kernels
from recurra.cells import Cell, Weights
from recurra.errors import ConfigError


def takes(cell: Cell[Any], *tensors: Tensor | None) -> bool:
    """Whether a layer of `cell` with these tensors runs in the native kernels.

    That is: the cell is exactly one of Recurra's own that has a kernel (not a subclass of one),
    every tensor is float32 on the CPU, no autocast, no function transform, and kernels are there.
    """
    if not _has_kernel(type(cell)) or kernels.why_missing() is not None:
        return False
    for one in tensors:
        if one is not None and not (one.dtype is torch.float32 and one.is_cpu and one.numel()):
            return False
    return not (torch.is_autocast_enabled("cpu") or torch._C._are_functorch_transforms_active())


@cache
def _has_kernel(kind: type[Cell[Any]]) -> bool:
    return kind.__module__ in {f"recurra.cells.{name}" for name in kernels.names()}


class Call(NamedTuple):
    """What a call is beside its tensors."""

    cell: str
    reverse: bool
    lengths: Tensor | None  # (B,) int64
    ids: Tensor | None  # (T, B) int64: the source is a table of x_gates


def layer(
    cell: Cell[Any],
    weights: Weights,
    state: tuple[Tensor, ...],
    lengths: Tensor | None,
    reverse: bool,
    *,
    x: Tensor | None = None,
    x_gates: Tensor | None = None,
    ids: Tensor | None = None,
) -> tuple[Tensor, Any]:
    """Outputs (T, B, H) and final state of a layer whose input `takes` has let through.

    The input is x (T, B, I); or x_gates (T, B, G·H), bias included; or, with ids (T, B), a table
    x_gates (V, G·H). Raises IndexError for an id that is no row of the table.
    """
    call = Call(
        cell.name,
        reverse,
        None if lengths is None else lengths.to("cpu", torch.int64).contiguous(),
        None if ids is None else ids.to("cpu", torch.int64).contiguous(),
    )
    other = kernels.kind(cell.name).other
    tensors = (
        x_gates if x is None else x,
        None if x is None else weights.weight_ih,
        None if x is None else weights.bias,
        weights.weight_hh,
        None if other is None else weights[other],
        *state,
    )
    if torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in tensors):
        outputs, *final = _Sequence.apply(call, *tensors)  # type: ignore[no-untyped-call]
    else:
        outputs, *final = _run(call, False, *tensors)[0]
    return outputs, cell.State(*final)


class _Saved(NamedTuple):
    gates: Tensor | None  # (T, B, G·H)
    extra: Tensor | None  # (T, B, H)
    hidden: Tensor  # (T + 1, B, H): outputs, and at the end they start from the initial state


def _run(
    call: Call,
    training: bool,
    source: Tensor,
    weight_ih: Tensor | None,
    bias: Tensor | None,
    weight_hh: Tensor,
    other: Tensor | None,
    *state: Tensor,
) -> tuple[tuple[Tensor, ...], _Saved]:
    """(outputs, *final), and what backward needs of them."""
    it = kernels.kind(call.cell)
    batch, hidden = state[0].shape
    steps = len(source if call.ids is None else call.ids)
    if weight_ih is None:
        x_gates = source.contiguous()
    else:
        x_gates = torch.mm(source.reshape(steps * batch, -1), weight_ih.t())
        x_gates = x_gates.view(steps, batch, -1)
    gates = extra = None
    if training and it.keeps_gates:
        # the GEMM's result is ours to overwrite, the caller's x_gates are not
        mine = weight_ih is not None
        gates = x_gates if mine else source.new_empty(steps, batch, it.gates * hidden)
        extra = source.new_empty(steps, batch, hidden)
    elif training and weight_ih is not None:
        gates = x_gates  # room for the gradient
    both = source.new_empty(steps + 1, batch, hidden)
    outputs, start = (both[:-1], both[-1]) if call.reverse else (both[1:], both[0])
    start.copy_(state[0])
    initial = (start, *(one.contiguous() for one in state[1:]))
    final = tuple(torch.empty_like(one) for one in initial)
    kernels.forward(
        call.cell,
        x_gates,
        _weights(it, weight_hh, other, bias),
        initial,
        outputs,
        final,
        ids=call.ids,
        gates=gates,
        extra=extra,
        lengths=call.lengths,
        reverse=call.reverse,
        threads=torch.get_num_threads(),
    )
    return (outputs, *final), _Saved(gates, extra, both)


def _weights(
    it: kernels.Kind, weight_hh: Tensor, other: Tensor | None, bias: Tensor | None = None
) -> dict[str, Tensor]:
    named = {"weight_hh": weight_hh.contiguous()}
    if it.other is not None and other is not None:
        named[it.other] = other.contiguous()
    if bias is not None:
        named["bias"] = bias.contiguous()
    return named


class _Sequence(Function):
    """The node: source, weight_ih, bias, weight_hh, other, *state to outputs and final state."""

    @staticmethod
    def forward(ctx: Any, call: Call, *tensors: Any) -> tuple[Tensor, ...]:
        results, saved = _run(call, True, *tensors)
        source, weight_ih, _, weight_hh, other, *state = tensors
        if call.ids is not None:
            assert source is not None
            ctx.symbols = len(source)
            source = None  # the table itself is not needed again
        ctx.call = call
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(source, weight_ih, weight_hh, other, *saved, *state[1:])
        return results

    @staticmethod
    def backward(
        ctx: Any, d_outputs: Tensor | None, *d_final: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            raise ConfigError(
                "the native kernels have no second derivative (create_graph=True). "
                "Set the environment variable RECURRA_KERNELS=off, or use float64."
            )
        source, weight_ih, weight_hh, other, gates, extra, both, *cell = ctx.saved_tensors
        call: Call = ctx.call
        it = kernels.kind(call.cell)
        outputs, start = (both[:-1], both[-1]) if call.reverse else (both[1:], both[0])
        before = both[1:] if call.reverse else both[:-1]  # (T, B, H): h of the step before
        initial = (start, *(one.contiguous() for one in cell))
        if gates is None:
            gates = both.new_empty(*outputs.shape[:2], it.gates * outputs.shape[2])
        elif it.keeps_gates and torch._C._autograd._get_current_graph_task_keep_graph():
            # they are overwritten, and somebody will come this way again
            gates, extra = gates.clone(), extra.clone()
        d_initial = tuple(torch.empty_like(one) for one in initial)
        kernels.backward(
            call.cell,
            gates,
            _weights(it, weight_hh, other),
            initial,
            outputs,
            None if d_outputs is None else d_outputs.contiguous(),
            [None if one is None else one.contiguous() for one in d_final],
            d_initial,
            extra=extra,
            lengths=call.lengths,
            reverse=call.reverse,
            threads=torch.get_num_threads(),
        )
        _, wants_source, wants_ih, wants_bias, *_ = ctx.needs_input_grad
        flat = gates.flatten(0, 1)  # (T·B, G·H)
        d_source = d_ih = d_bias = None
        if weight_ih is None:
            d_source = gates if call.ids is None else _table_gradient(ctx.symbols, call.ids, flat)
        else:
            x = source.reshape(len(flat), -1)
            d_source = (flat @ weight_ih).view_as(source) if wants_source else None
            d_ih = flat.t() @ x if wants_ih else None
            d_bias = flat.sum(0) if wants_bias else None
        d_hh, d_other = _recurrent_gradients(call, it, gates, extra, before, start)
        return (None, d_source, d_ih, d_bias, d_hh, d_other, *d_initial)


def _table_gradient(symbols: int, ids: Tensor, flat: Tensor) -> Tensor:
    sums = flat.new_empty(symbols, flat.shape[1])
    kernels.sum_rows(flat, ids.flatten(), sums, threads=torch.get_num_threads())
    return sums


def _recurrent_gradients(
    call: Call,
    it: kernels.Kind,
    gates: Tensor,
    extra: Tensor | None,
    before: Tensor,
    start: Tensor,
) -> tuple[Tensor, Tensor | None]:
    """Gradients of weight_hh and of the cell's other recurrent weight."""
    hidden = start.shape[1]
    if it.other is None:
        return _summed(call, gates, before, start), None
    assert extra is not None
    r_and_z, n = gates[..., : 2 * hidden], gates[..., 2 * hidden :]
    d_r_and_z = _summed(call, r_and_z, before, start)
    if it.other == "weight_hn":
        # `extra` is r * h and holds its own first step
        return d_r_and_z, n.flatten(0, 1).t() @ extra.flatten(0, 1)
    d_n = _summed(call, extra, before, start)
    return torch.cat([d_r_and_z, d_n]), extra.flatten(0, 1).sum(0)


def _summed(call: Call, gates: Tensor, before: Tensor, start: Tensor) -> Tensor:
    """Σ over steps and sequences of gatesᵀ h, h of the step before."""
    total = gates.flatten(0, 1).t() @ before.flatten(0, 1)
    if call.lengths is None or not call.reverse:
        return total
    # A reversed sequence begins at its own end: there `before` holds padding, which is zero.
    steps = len(gates)
    late = ((call.lengths > 0) & (call.lengths < steps)).nonzero().flatten()
    return total.addmm_(gates[call.lengths[late] - 1, late].t(), start[late])
