"""The minimal gated unit, against its equations."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from recurra.cells import Weights
from recurra.cells.mgu import MGUCell, MGUState

IN, H, B = 2, 3, 4


def sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-x))


def test_step_is_its_equations(
    random_weights: Callable[..., Weights], rng: np.random.Generator
) -> None:
    weights = random_weights(MGUCell(), IN, H)
    x, h = rng.normal(size=(B, IN)), rng.normal(size=(B, H))
    output, state = MGUCell().step(MGUCell().project(x, weights), MGUState(h), weights)
    W_if, W_in = np.split(weights["weight_ih"], 2)
    b_f, b_n = np.split(weights["bias"], 2)
    for b in range(B):
        f = sigmoid(W_if @ x[b] + weights["weight_hh"] @ h[b] + b_f)
        n = np.tanh(W_in @ x[b] + weights["weight_hn"] @ (f * h[b]) + b_n)
        assert_allclose(output[b], (1 - f) * h[b] + f * n, rtol=0, atol=1e-12)  # rounding
    assert_allclose(state.hidden, output, rtol=0, atol=0)


def test_a_gate_near_zero_copies_the_state_for_100_steps(
    random_weights: Callable[..., Weights], rng: np.random.Generator
) -> None:
    weights = random_weights(MGUCell(), IN, H)
    weights["bias"][:H] = -60.0  # f below e^−50, whatever x and h add
    h = np.tanh(rng.normal(size=(B, H)))
    state = MGUState(h)
    for x in rng.normal(size=(100, B, IN)):
        _, state = MGUCell().step(MGUCell().project(x, weights), state, weights)
    assert_allclose(state.hidden, h, rtol=0, atol=1e-13)  # 100 roundings of numbers below 2
