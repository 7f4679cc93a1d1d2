"""The weights moved: gradients clipped, then the optimizer's step.

On the CPU in float32 both are one native call, on the state that torch's optimizer holds; anywhere
else they are `clipping.clip` and the optimizer's own step.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.autograd.graph import increment_version
from torch.optim import Optimizer

from recurra import kernels
from recurra.training.clipping import Clipped, clip
from recurra.training.optimizers import ADAGRAD_EPSILON, KEPT, Kept, gradients
from recurra.training.precision import Precision


def update(
    optimizer: Optimizer,
    kind: str,
    precision: Precision,
    clip_norm: float | None,
    clip_value: float | None,
) -> Clipped:
    """Clips the gradients and makes the optimizer's step: neither, where their norm is not finite.

    kind: the optimizer's name in the settings. A parameter without a gradient is left out. The
    gradients are afterwards as they were or as clipped: nothing may read them. With a loss scale
    an overflow is no error, and what becomes of the step is the scale's decision.
    """
    if precision.scaler is None and kernels.why_missing() is None:
        moved = [
            (parameter, group["weight_decay"])
            for group in optimizer.param_groups
            for parameter in group["params"]
            if parameter.grad is not None
        ]
        if all(_takes(parameter, parameter.grad) for parameter, _ in moved):
            return _native(optimizer, kind, moved, clip_norm, clip_value)
    clipped = clip(gradients(optimizer), clip_norm, clip_value)
    if precision.scaler is not None or math.isfinite(clipped.norm):
        precision.step(optimizer)
    return clipped


def _takes(parameter: Tensor, gradient: Tensor) -> bool:
    """Whether the native call can read the gradient and move the parameter where they lie."""
    return (
        parameter.dtype is torch.float32  # and so is the gradient, on the same device
        and parameter.is_cpu
        and parameter.is_contiguous()
        and gradient.is_contiguous()
    )


def _native(
    optimizer: Optimizer,
    kind: str,
    moved: list[tuple[Tensor, float]],
    clip_norm: float | None,
    clip_value: float | None,
) -> Clipped:
    momentum, squares, step = kept = KEPT[kind]
    arrays: list[Tensor | int | None] = []
    for parameter, _ in moved:
        state = optimizer.state[parameter] or _begin(optimizer, kept, parameter)
        arrays += (
            parameter,
            parameter.grad,
            state[momentum] if momentum else None,
            state[squares] if squares else None,
            state[step] if step else None,
            parameter.numel(),
        )
    group = optimizer.param_groups[0]  # they differ in weight decay alone
    betas = group.get("betas", (group.get("momentum", 0.0), group.get("alpha", 0.0)))
    norm, cut = kernels.update(
        kind,
        arrays,
        [decay for _, decay in moved],
        rate=group["lr"],
        momentum=betas[0],
        square_decay=betas[1],
        epsilon=group.get("eps", 0.0),
        clip_norm=clip_norm,
        clip_value=clip_value,
        threads=torch.get_num_threads(),
    )
    for parameter, _ in moved:
        increment_version(parameter)  # as an operation of torch's that writes in place does
    return Clipped(norm, cut)


def _begin(optimizer: Optimizer, kept: Kept, parameter: Tensor) -> dict[str, Tensor]:
    """What the optimizers of `optimizers.build` begin with."""
    state = {name: torch.zeros_like(parameter) for name in (kept.momentum, kept.squares) if name}
    if kept.squares == "sum":  # adagrad's
        state["sum"] += ADAGRAD_EPSILON
    if kept.step:
        state[kept.step] = torch.zeros((), dtype=torch.float32)
    optimizer.state[parameter] = state
    return state
