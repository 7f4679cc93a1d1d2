"""Torch's optimizers built from the settings, and their state as named tensors and JSON values.

The step size is set before every step by `schedules.py`; `update.py` clips and makes the step.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adagrad, Adam, AdamW, Optimizer, RMSprop

from recurra.errors import RunError
from recurra.training.settings import Training

ADAMW_DECAY = 0.1  # where none is given: what language models of transformers have, too
RMSPROP_DECAY = 0.95  # of the mean square; char-rnn's value (torch's default is 0.99)
ADAGRAD_EPSILON = 1e-8  # inside the square root, as in the lecture: g / sqrt(sum g² + 1e-8)


class Kept(NamedTuple):
    """Torch's names for what an optimizer keeps of a parameter that has had a gradient."""

    momentum: str | None  # of gradients, a sum or mean
    squares: str | None  # of their squares, a sum or mean
    step: str | None = "step"  # a single float32: updates so far


KEPT = {
    "adam": Kept("exp_avg", "exp_avg_sq"),
    "adamw": Kept("exp_avg", "exp_avg_sq"),
    "adagrad": Kept(None, "sum"),
    "rmsprop": Kept(None, "square_avg"),
    "sgd": Kept("momentum_buffer", None, None),
}


def build(training: Training, model: nn.Module) -> Optimizer:
    """The settings' optimizer over the model's parameters.

    Weight decay is left out for biases and all else with one axis. AdamW decouples it
    (loshchilov2019); the others add weight_decay · weight to the gradient.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    matrices = [parameter for parameter in parameters if parameter.ndim > 1]
    rest = [parameter for parameter in parameters if parameter.ndim <= 1]
    groups: list[dict[str, Any]] = [
        {"params": group, "weight_decay": decay}
        for group, decay in ((matrices, decay_of(training)), (rest, 0.0))
        if group
    ]
    rate = training.learning_rate
    # Where `update.py` leaves a step to torch: one pass over the memory instead of eight. On CUDA
    # torch has a default of its own.
    fused = all(parameter.is_cpu for parameter in parameters) or None
    if training.optimizer == "sgd":
        return SGD(groups, lr=rate, momentum=training.momentum, fused=fused)
    if training.optimizer == "rmsprop":
        return RMSprop(groups, lr=rate, alpha=RMSPROP_DECAY)
    if training.optimizer == "adagrad":
        # Torch adds eps outside the root; the sum's start puts it inside.
        return Adagrad(
            groups, lr=rate, initial_accumulator_value=ADAGRAD_EPSILON, eps=0.0, fused=fused
        )
    return (AdamW if training.optimizer == "adamw" else Adam)(groups, lr=rate, fused=fused)


def decay_of(training: Training) -> float:
    """The settings' weight decay; AdamW is nothing else than Adam without one."""
    if training.weight_decay is not None:
        return training.weight_decay
    return ADAMW_DECAY if training.optimizer == "adamw" else 0.0


def set_rate(optimizer: Optimizer, rate: float) -> None:
    """Makes `rate` the learning rate of the next step."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def gradients(optimizer: Optimizer) -> list[Tensor]:
    """Those of all parameters that have one."""
    found = (item.grad for group in optimizer.param_groups for item in group["params"])
    return [gradient for gradient in found if gradient is not None]


def clear_gradients(optimizer: Optimizer) -> None:
    """Leaves no parameter a gradient, without the hooks of torch's own `zero_grad`."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            parameter.grad = None


def state_tensors(optimizer: Optimizer, model: nn.Module) -> dict[str, Tensor]:
    """What the optimizer remembers, as `<parameter>/<what>`: with the settings, all of it."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return {
        f"{names[id(parameter)]}/{what}": value
        for parameter, values in optimizer.state.items()
        for what, value in values.items()
        if isinstance(value, Tensor)
    }


def restore(
    optimizer: Optimizer, kind: str, model: nn.Module, tensors: Mapping[str, Tensor]
) -> None:
    """Puts back what `state_tensors` gave; RunError where it does not fit the model."""
    parameters = dict(model.named_parameters())
    found: dict[str, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        name, _, what = key.rpartition("/")
        scalar = what == "step"
        if (
            name not in parameters
            or what not in KEPT[kind]
            or tensor.shape != (torch.Size() if scalar else parameters[name].shape)
            or tensor.dtype != (torch.float32 if scalar else parameters[name].dtype)
        ):
            raise RunError(f"the saved state of {kind} does not fit the model: {key}.")
        found.setdefault(name, {})[what] = tensor
    for name, values in found.items():
        if set(values) != set(filter(None, KEPT[kind])):
            raise RunError(f"the saved state of {kind} is incomplete for {name}.")
    names = {id(parameter): name for name, parameter in parameters.items()}
    ordered = [
        names[id(parameter)] for group in optimizer.param_groups for parameter in group["params"]
    ]
    state = {index: found[name] for index, name in enumerate(ordered) if name in found}
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
