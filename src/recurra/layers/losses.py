"""The loss of every task over symbols: mean cross-entropy in nats. Metrics are the tasks' own.

On the CPU in float32 the projection onto the symbols, the loss and all gradients are one native
pass, which holds the logits of some hundred tokens at a time and never those of all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn.functional import cross_entropy, linear

from recurra import fused, kernels
from recurra.errors import ShapeError
from recurra.shapes import check_shape


def mean_nats(
    outputs: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, mask: Tensor | None = None
) -> Tensor:
    """The mean of −ln p(target) over all tokens, or over those where `mask` is True: a scalar.

    p is the softmax of weight · output + bias. outputs (…, H), weight (V, H), bias (V,), targets
    (…) int64, mask (…) bool. NaN where no token is counted. Raises ShapeError where targets or mask
    do not have the leading shape of outputs, and for targets of another type.
    """
    targets = counted(targets, mask, outputs.shape[:-1])
    rows = outputs.reshape(-1, outputs.shape[-1])
    if fused.readable(rows, weight, bias):
        if not torch.is_grad_enabled():
            return _native(rows, weight, bias, targets, (False,) * 3)[0]
        nats: Tensor = _MeanNats.apply(rows, weight, bias, targets)  # type: ignore[no-untyped-call]
        return nats
    return cross_entropy(linear(rows, weight, bias), targets, ignore_index=kernels.NOT_COUNTED)


def counted(targets: Tensor, mask: Tensor | None, leading: Sequence[int]) -> Tensor:
    """Targets (…) as (N,), those that the mask leaves out as none; ShapeError as `mean_nats`."""
    check_shape("targets", targets, tuple(leading))
    if targets.dtype is not torch.int64:
        found = str(targets.dtype).removeprefix("torch.")
        raise ShapeError(f"targets must be int64 but are {found}: use targets.long().")
    if mask is not None:
        check_shape("mask", mask, tuple(leading))
        targets = targets.masked_fill(~mask, kernels.NOT_COUNTED)
    return targets.reshape(-1)


def _native(
    rows: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, wants: Sequence[bool]
) -> tuple[Tensor, list[Tensor | None]]:
    """The mean nats and, of rows, weight and bias, all `fused.readable`, the gradients wanted."""
    count = int((targets >= 0).sum())
    rows, weight, bias = (one.contiguous() for one in (rows, weight, bias))
    given = zip((rows, weight, bias), wants, strict=True)
    made = [torch.empty_like(one) if wanted else None for one, wanted in given]
    nats = kernels.nats(
        rows,
        weight,
        bias,
        targets.contiguous(),
        scale=1 / count if count else float("nan"),
        d_rows=made[0],
        d_weight=made[1],
        d_bias=made[2],
        threads=torch.get_num_threads(),
    )
    return rows.new_tensor(nats.sum() / count if count else float("nan")), made


class _MeanNats(Function):
    """The node: rows (N, H) and the projection to mean nats; gradients are made with the loss."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
        nats, made = _native(rows, weight, bias, targets, ctx.needs_input_grad[:3])
        ctx.save_for_backward(*made)
        return nats

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_nats: Tensor) -> tuple[Tensor | None, ...]:
        made = ctx.saved_tensors
        again = torch._C._autograd._get_current_graph_task_keep_graph()  # somebody will come again
        if again or torch._C._functorch.is_legacy_batchedtensor(d_nats):  # or asks for several
            return *(None if one is None else one * d_nats for one in made), None
        if d_nats != 1:
            made = [None if one is None else one.mul_(d_nats) for one in made]
        return *made, None
