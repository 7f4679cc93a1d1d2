"""The GRU that resets before the product, against its equations."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from recurra.cells import Weights
from recurra.cells.gru import GRUCell, GRUState
from recurra.cells.gru_reset_before import GRUResetBeforeCell, GRUResetBeforeState

IN, H, B = 2, 3, 4


def sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-x))


def test_step_is_its_equations(
    random_weights: Callable[..., Weights], rng: np.random.Generator
) -> None:
    cell = GRUResetBeforeCell()
    weights = random_weights(cell, IN, H)
    x, h = rng.normal(size=(B, IN)), rng.normal(size=(B, H))
    output, state = cell.step(cell.project(x, weights), GRUResetBeforeState(h), weights)
    W_ir, W_iz, W_in = np.split(weights["weight_ih"], 3)
    W_hr, W_hz = np.split(weights["weight_hh"], 2)
    b_r, b_z, b_n = np.split(weights["bias"], 3)
    for b in range(B):
        r = sigmoid(W_ir @ x[b] + W_hr @ h[b] + b_r)
        z = sigmoid(W_iz @ x[b] + W_hz @ h[b] + b_z)
        n = np.tanh(W_in @ x[b] + weights["weight_hn"] @ (r * h[b]) + b_n)
        assert_allclose(output[b], (1 - z) * n + z * h[b], rtol=0, atol=1e-12)  # rounding
    assert_allclose(state.hidden, output, rtol=0, atol=0)


def test_the_order_of_reset_and_product_matters_unless_the_reset_gate_is_open(
    random_weights: Callable[..., Weights], rng: np.random.Generator
) -> None:
    before, after = GRUResetBeforeCell(), GRUCell()
    weights = random_weights(before, IN, H)
    x, h = rng.normal(size=(B, IN)), rng.normal(size=(B, H))

    def difference() -> float:
        stacked = np.concatenate([weights["weight_hh"], weights["weight_hn"]])
        other = Weights({**weights, "weight_hh": stacked, "bias_hn": np.zeros(H)})
        one, _ = before.step(before.project(x, weights), GRUResetBeforeState(h), weights)
        two, _ = after.step(after.project(x, other), GRUState(h), other)
        return float(np.abs(one - two).max())

    assert difference() > 0.01
    weights["bias"][:H] = 60.0  # r = 1
    assert difference() < 1e-12  # e^−50 and rounding
