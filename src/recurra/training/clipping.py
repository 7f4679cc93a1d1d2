"""Gradients cut by value or scaled by norm (pascanu2013)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Clipped(NamedTuple):
    """What clipping found."""

    norm: float  # L2 of all gradients together, before anything was cut
    cut: bool  # whether anything was


def clip(gradients: Sequence[Tensor], norm: float | None, value: float | None) -> Clipped:
    """Cuts every element to ±value, then scales all to the L2 norm `norm`, both in place.

    None leaves a cut out. A norm that is not finite is returned as it is, and nothing is cut.
    """
    before = l2_norm(gradients)
    if not before < float("inf"):
        return Clipped(before, False)
    cut = False
    if value is not None and before > value:  # no element is larger than the norm
        cut = largest(gradients) > value
        for gradient in gradients if cut else ():
            gradient.clamp_(-value, value)
    length = l2_norm(gradients) if cut else before
    if norm is not None and length > norm:
        cut = True
        for gradient in gradients:
            gradient.mul_(norm / length)
    return Clipped(before, cut)


def largest(tensors: Sequence[Tensor]) -> float:
    """The largest magnitude of an element."""
    norms = [torch.linalg.vector_norm(tensor, torch.inf) for tensor in tensors if tensor.numel()]
    return float(torch.stack(norms).max())


def l2_norm(tensors: Sequence[Tensor]) -> float:
    """The L2 norm of all elements of all tensors."""
    if not tensors:
        return 0.0
    return float(torch.stack([torch.linalg.vector_norm(tensor) for tensor in tensors]).norm())
