"""What gates are for: the gradient of the last state with respect to the first, 100 steps back."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from recurra import cells
from recurra.cells import Weights, gate_bias, uniform

STEPS, IN, H = 100, 4, 32


def longest_gradient(name: str, forget_bias: float = 1.0) -> float:
    """‖∂(sum of the last state's last field) / ∂(the first's)‖ with weights from U(±1/√n).

    The same small inputs for every cell; the weights are as wide as torch.nn starts them.
    """
    cell = cells.load(name)
    rng = np.random.default_rng(3)
    values = {
        key: rule(rng, shape) if key.startswith("bias") else uniform(rng, shape)
        for key, (shape, rule) in cell.parameters(IN, H).items()
    }
    if "f" in cell.gates:
        values["bias"] = gate_bias(cell.gates, {"f": forget_bias})(rng, values["bias"].shape)
    weights = Weights({key: torch.from_numpy(value) for key, value in values.items()})
    state: Any = cell.initial_state(1, H, weights["weight_ih"])
    first = state[-1].requires_grad_()
    for x in torch.from_numpy(0.1 * rng.normal(size=(STEPS, 1, IN))):
        _, state = cell.step(cell.project(x, weights), state, weights)
    (gradient,) = torch.autograd.grad(state[-1].sum(), first)
    return float(gradient.norm())


def test_the_lstms_gradient_over_100_steps_is_far_longer_than_the_vanilla_rnns() -> None:
    # a forget bias of 1 keeps sigmoid(1) = 0.73 of a cell a step, a vanilla RNN with these weights
    # at most their spectral radius, 1/√3 = 0.58: 0.73^100 / 0.58^100 is about 1e10
    assert longest_gradient("lstm") > 1e6 * longest_gradient("rnn")


def test_an_open_forget_gate_keeps_the_gradient_whole_over_100_steps() -> None:
    # sigmoid(12)^100 = 0.9994, once a unit: the norm of ones is √H; the recurrence adds a little
    assert longest_gradient("lstm", forget_bias=12.0) > 0.5 * H**0.5
    assert longest_gradient("rnn") < 1e-15
