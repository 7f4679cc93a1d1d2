"""The loss of every task over symbols: mean cross-entropy in nats. Metrics are the tasks' own.

On the CPU in float32 the loss and its gradient come from one native pass over the logits.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn.functional import cross_entropy

from recurra import fused, kernels
from recurra.errors import ShapeError
from recurra.shapes import check_shape


def mean_nats(logits: Tensor, targets: Tensor, mask: Tensor | None = None) -> Tensor:
    """The mean of −ln p(target) over all tokens, or over those where `mask` is True: a scalar.

    logits (…, V) before softmax, targets (…) int64, mask (…) bool. NaN where no token is counted.
    Raises ShapeError where targets or mask do not have the leading shape of logits, and for targets
    of another type.
    """
    leading = tuple(logits.shape[:-1])
    check_shape("targets", targets, leading)
    if targets.dtype is not torch.int64:
        found = str(targets.dtype).removeprefix("torch.")
        raise ShapeError(f"targets must be int64 but are {found}: use targets.long().")
    if mask is not None:
        check_shape("mask", mask, leading)
        targets = targets.masked_fill(~mask, kernels.NOT_COUNTED)
    flat = logits.reshape(-1, logits.shape[-1])  # (tokens, V)
    if fused.readable(flat):
        nats: Tensor = _MeanNats.apply(flat, targets.reshape(-1))  # type: ignore[no-untyped-call]
        return nats
    return cross_entropy(flat, targets.reshape(-1), ignore_index=kernels.NOT_COUNTED)


class _MeanNats(Function):
    """The node: logits (N, V) to their mean nats; the gradient is made with the loss."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, targets: Tensor) -> Tensor:
        count = int((targets != kernels.NOT_COUNTED).sum())
        rows = logits.contiguous()
        gradient = torch.empty_like(rows) if ctx.needs_input_grad[0] else None
        nats = kernels.nats(
            rows,
            targets.contiguous(),
            gradient=gradient,
            scale=1 / count if count else float("nan"),
            threads=torch.get_num_threads(),
        )
        ctx.save_for_backward(gradient)
        return logits.new_tensor(nats.sum() / count if count else float("nan"))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_nats: Tensor) -> tuple[Tensor, None]:
        (gradient,) = ctx.saved_tensors
        again = torch._C._autograd._get_current_graph_task_keep_graph()  # somebody will come again
        if again or torch._C._functorch.is_legacy_batchedtensor(d_nats):  # or asks for several
            return gradient * d_nats, None
        # it is as large as the logits: a second one would be among the largest arrays of a step
        return gradient if d_nats == 1 else gradient.mul_(d_nats), None
