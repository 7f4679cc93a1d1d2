"""The GRU that resets after the product, against its equations."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from recurra.cells import Weights
from recurra.cells.gru import GRUCell, GRUState

IN, H, B = 2, 3, 4


def sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-x))


def test_step_is_its_equations(
    random_weights: Callable[..., Weights], rng: np.random.Generator
) -> None:
    weights = random_weights(GRUCell(), IN, H)
    x, h = rng.normal(size=(B, IN)), rng.normal(size=(B, H))
    output, state = GRUCell().step(GRUCell().project(x, weights), GRUState(h), weights)
    W_ir, W_iz, W_in = np.split(weights["weight_ih"], 3)
    W_hr, W_hz, W_hn = np.split(weights["weight_hh"], 3)
    b_r, b_z, b_in = np.split(weights["bias"], 3)
    for b in range(B):
        r = sigmoid(W_ir @ x[b] + W_hr @ h[b] + b_r)
        z = sigmoid(W_iz @ x[b] + W_hz @ h[b] + b_z)
        n = np.tanh(W_in @ x[b] + b_in + r * (W_hn @ h[b] + weights["bias_hn"]))
        assert_allclose(output[b], (1 - z) * n + z * h[b], rtol=0, atol=1e-12)  # rounding
    assert_allclose(state.hidden, output, rtol=0, atol=0)


def test_an_update_gate_near_one_copies_the_state_for_100_steps(
    random_weights: Callable[..., Weights], rng: np.random.Generator
) -> None:
    weights = random_weights(GRUCell(), IN, H)
    weights["bias"][H : 2 * H] = 60.0  # z = 1 − e^−50 or nearer, whatever x and h add
    h = np.tanh(rng.normal(size=(B, H)))
    state = GRUState(h)
    for x in rng.normal(size=(100, B, IN)):
        _, state = GRUCell().step(GRUCell().project(x, weights), state, weights)
    assert_allclose(state.hidden, h, rtol=0, atol=1e-13)  # 100 roundings of numbers below 2


def test_an_update_gate_near_zero_forgets_the_state(
    random_weights: Callable[..., Weights], rng: np.random.Generator
) -> None:
    weights = random_weights(GRUCell(), IN, H)
    weights["bias"][:H] = -60.0  # r = 0: the candidate does not see h either
    weights["bias"][H : 2 * H] = -60.0  # z = 0
    x_gates = GRUCell().project(rng.normal(size=(B, IN)), weights)
    one, _ = GRUCell().step(x_gates, GRUState(rng.normal(size=(B, H))), weights)
    other, _ = GRUCell().step(x_gates, GRUState(rng.normal(size=(B, H))), weights)
    assert_allclose(one, other, rtol=0, atol=1e-13)  # e^−50 and rounding


def test_each_gate_of_the_recurrence_starts_orthogonal(rng: np.random.Generator) -> None:
    shape, rule = GRUCell().parameters(5, 6)["weight_hh"]
    for block in np.split(rule(rng, shape), 3):
        assert_allclose(block @ block.T, np.eye(6), rtol=0, atol=1e-12)  # rounding
