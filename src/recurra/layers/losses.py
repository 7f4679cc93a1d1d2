"""The loss of every task over symbols: mean cross-entropy in nats. Metrics are the tasks' own."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import cross_entropy

from recurra.shapes import check_shape

_NOT_COUNTED = -100  # a target that is no symbol


def mean_nats(logits: Tensor, targets: Tensor, mask: Tensor | None = None) -> Tensor:
    """The mean of −ln p(target) over all tokens, or over those where `mask` is True: a scalar.

    logits (…, V) before softmax, targets (…) int64, mask (…) bool. NaN where no token is counted.
    Raises ShapeError where targets or mask do not have the leading shape of logits.
    """
    leading = tuple(logits.shape[:-1])
    check_shape("targets", targets, leading)
    if mask is not None:
        check_shape("mask", mask, leading)
        targets = targets.masked_fill(~mask, _NOT_COUNTED)
    flat = logits.reshape(-1, logits.shape[-1])  # (tokens, V)
    return cross_entropy(flat, targets.reshape(-1), ignore_index=_NOT_COUNTED)
