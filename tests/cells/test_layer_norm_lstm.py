"""The LSTM with layer normalisation, against its equations."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from recurra.cells import Weights
from recurra.cells.layer_norm_lstm import LayerNormLSTMCell, LayerNormLSTMState

IN, H, B = 2, 3, 4


def sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-x))


def normalised(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean 0 and variance 1, but for the 1e-5 that keeps a constant vector finite."""
    variance = ((x - x.mean()) ** 2).sum() / x.size
    result: NDArray[np.float64] = (x - x.mean()) / np.sqrt(variance + 1e-5)
    return result


def test_step_is_its_equations(
    random_weights: Callable[..., Weights], rng: np.random.Generator
) -> None:
    lstm = LayerNormLSTMCell()
    weights = random_weights(lstm, IN, H)
    x, h, c = rng.normal(size=(B, IN)), rng.normal(size=(B, H)), rng.normal(size=(B, H))
    x_gates = lstm.project(x, weights)
    output, state = lstm.step(x_gates, LayerNormLSTMState(h, c), weights)
    for b in range(B):
        total = (
            weights["gain_ih"] * normalised(weights["weight_ih"] @ x[b])
            + weights["gain_hh"] * normalised(weights["weight_hh"] @ h[b])
            + weights["bias"]
        )
        i, f, g, o = total[:H], total[H : 2 * H], total[2 * H : 3 * H], total[3 * H :]
        cell = sigmoid(f) * c[b] + sigmoid(i) * np.tanh(g)
        squashed = np.tanh(weights["gain_cell"] * normalised(cell) + weights["bias_cell"])
        assert_allclose(state.cell[b], cell, rtol=0, atol=1e-12)  # rounding
        assert_allclose(output[b], sigmoid(o) * squashed, rtol=0, atol=1e-12)
    assert_allclose(state.hidden, output, rtol=0, atol=0)


def test_the_forget_bias_starts_at_one_and_the_others_at_zero(rng: np.random.Generator) -> None:
    shape, rule = LayerNormLSTMCell().parameters(5, 2)["bias"]
    assert_allclose(rule(rng, shape), [0, 0, 1, 1, 0, 0, 0, 0], rtol=0, atol=0)


def test_the_gains_start_at_one(rng: np.random.Generator) -> None:
    for name, (shape, rule) in LayerNormLSTMCell().parameters(IN, H).items():
        if name.startswith("gain"):
            assert_allclose(rule(rng, shape), np.ones(shape), rtol=0, atol=0)


def test_longer_weights_change_nothing(
    random_weights: Callable[..., Weights], rng: np.random.Generator
) -> None:
    cell = LayerNormLSTMCell()
    weights = random_weights(cell, IN, H)
    longer = Weights(
        {
            n: 1000 * value if n in ("weight_ih", "weight_hh") else value
            for n, value in weights.items()
        }
    )
    x, h, c = rng.normal(size=(B, IN)), rng.normal(size=(B, H)), rng.normal(size=(B, H))
    one, _ = cell.step(cell.project(x, weights), LayerNormLSTMState(h, c), weights)
    two, _ = cell.step(cell.project(x, longer), LayerNormLSTMState(h, c), longer)
    assert_allclose(one, two, rtol=0, atol=1e-3)  # the 1e-5 beside a variance of order one


def test_a_state_of_zeros_stays_finite(random_weights: Callable[..., Weights]) -> None:
    cell = LayerNormLSTMCell()
    weights = random_weights(cell, IN, H)
    x_gates = cell.project(np.zeros((B, IN)), weights)
    output, _ = cell.step(x_gates, cell.initial_state(B, H, x_gates), weights)
    assert np.isfinite(output).all()
