"""A layer on torch as one autograd node over the native kernels, in one direction or both.

Which layers come here is `takes`; all others go through the loop of `step` in `layers/`. The node
is in `_node.py`; `_network.py` has a whole language model's loss without any.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from recurra import kernels
from recurra.cells import Cell, Weights
from recurra.fused._call import Call
from recurra.fused._network import NetworkLoss, Places
from recurra.fused._node import run

__all__ = [
    "Call",
    "NetworkLoss",
    "Places",
    "has_kernel",
    "layer",
    "readable",
    "run",
    "takes",
]

kernels.know_torch(torch)  # before any native call has a tensor


def takes(cell: Cell[Any], *tensors: Tensor | None) -> bool:
    """Whether a layer of `cell` with these tensors runs in the native kernels.

    That is: the cell is exactly one of Recurra's own that has a kernel (not a subclass of one),
    and every tensor is there and `readable`.
    """
    return has_kernel(cell) and all(one is not None for one in tensors) and readable(*tensors)


def readable(*tensors: Tensor | None) -> bool:
    """Whether the kernels are there and may take these numbers from memory, unseen by torch.

    That is: float32 on the CPU, as they lie there, no subclass of a tensor, and nothing that must
    see every operation: autocast, a function transform, a dispatch mode, tracing, forward-mode
    differentiation.
    """
    return (
        kernels.why_missing() is None
        and kernels.all_plain(*tensors)
        and not torch.is_autocast_enabled("cpu")
        and not torch._C._are_functorch_transforms_active()
        and not torch._C._len_torch_dispatch_stack()
        and not torch._C._get_tracing_state()
        and forward_ad._current_level < 0
    )


def has_kernel(cell: Cell[Any]) -> bool:
    """Whether `cell` is exactly one of Recurra's own that has a kernel, there or not."""
    return _is_ours(type(cell))


@cache
def _is_ours(kind: type[Cell[Any]]) -> bool:
    return kind.__module__ in {f"recurra.cells.{name}" for name in kernels.names()}


def layer(
    cell: Cell[Any],
    weights: Sequence[Weights],
    state: Sequence[tuple[Tensor, ...]],
    lengths: Tensor | None,
    reverse: bool,
    *,
    x: Tensor | None = None,
    x_gates: Sequence[Tensor] = (),
    ids: Tensor | None = None,
) -> tuple[Tensor, list[Any]]:
    """Outputs (T, B, D·H) and each direction's final state of a layer that `takes` let through.

    Weights and state are those of each direction; `reverse` is the first one's, a second always
    is. The input is x (T, B, I), or for each direction x_gates (T, B, G·H), bias included; with ids
    (T, B) the rows of a table: x (V, I), or for each direction x_gates (V, G·H). Raises IndexError
    for an id that is no row of the table.
    """
    kind = kernels.kind(cell.name)
    directions = len(weights)
    call = Call(
        kind,
        len(state[0][0]),
        state[0][0].shape[1],
        directions,
        reverse=reverse,
        lengths=None if lengths is None else lengths.to("cpu", torch.int64).contiguous(),
        ids=None if ids is None else ids.to("cpu", torch.int64).contiguous(),
        stacked=directions > 1,
    )
    start = [torch.stack(one) if call.stacked else one[0] for one in zip(*state, strict=True)]
    of_each: list[Tensor | None] = []
    for direction, own in enumerate(weights):
        of_each += [
            x_gates[direction] if x is None else own.weight_ih,
            own.weight_hh,
            None if x is None else own.bias,
            None,
            None if kind.other is None else own[kind.other],
        ]
    outputs, *final = run(call, x, *(*start, None)[:2], *of_each)
    if not call.stacked:
        return outputs, [cell.State(*final)]
    # selected one by one: what unbind gives may not be changed in place
    each = ([field[direction] for field in final] for direction in range(directions))
    return outputs, [cell.State(*one) for one in each]
