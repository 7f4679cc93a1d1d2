"""The LSTM with peepholes, against its equations."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from recurra.cells import Weights
from recurra.cells.lstm import LSTMCell, LSTMState
from recurra.cells.peephole_lstm import PeepholeLSTMCell, PeepholeLSTMState

IN, H, B = 2, 3, 4


def sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-x))


def test_step_is_its_equations(
    random_weights: Callable[..., Weights], rng: np.random.Generator
) -> None:
    lstm = PeepholeLSTMCell()
    weights = random_weights(lstm, IN, H)
    x, h, c = rng.normal(size=(B, IN)), rng.normal(size=(B, H)), rng.normal(size=(B, H))
    x_gates = lstm.project(x, weights)
    output, state = lstm.step(x_gates, PeepholeLSTMState(h, c), weights)
    W_ii, W_if, W_ig, W_io = np.split(weights["weight_ih"], 4)
    W_hi, W_hf, W_hg, W_ho = np.split(weights["weight_hh"], 4)
    b_i, b_f, b_g, b_o = np.split(weights["bias"], 4)
    for b in range(B):
        i = sigmoid(W_ii @ x[b] + W_hi @ h[b] + weights["peephole_i"] * c[b] + b_i)
        f = sigmoid(W_if @ x[b] + W_hf @ h[b] + weights["peephole_f"] * c[b] + b_f)
        g = np.tanh(W_ig @ x[b] + W_hg @ h[b] + b_g)
        cell = f * c[b] + i * g
        o = sigmoid(W_io @ x[b] + W_ho @ h[b] + weights["peephole_o"] * cell + b_o)
        assert_allclose(state.cell[b], cell, rtol=0, atol=1e-12)  # rounding
        assert_allclose(output[b], o * np.tanh(cell), rtol=0, atol=1e-12)
    assert_allclose(state.hidden, output, rtol=0, atol=0)


def test_the_forget_bias_starts_at_one_and_the_others_at_zero(rng: np.random.Generator) -> None:
    shape, rule = PeepholeLSTMCell().parameters(5, 2)["bias"]
    assert_allclose(rule(rng, shape), [0, 0, 1, 1, 0, 0, 0, 0], rtol=0, atol=0)


def test_it_starts_as_the_lstm(rng: np.random.Generator) -> None:
    cell = PeepholeLSTMCell()
    weights = Weights({n: rule(rng, shape) for n, (shape, rule) in cell.parameters(IN, H).items()})
    x, h, c = rng.normal(size=(B, IN)), rng.normal(size=(B, H)), rng.normal(size=(B, H))
    found, _ = cell.step(cell.project(x, weights), PeepholeLSTMState(h, c), weights)
    plain = LSTMCell()
    expected, _ = plain.step(plain.project(x, weights), LSTMState(h, c), weights)
    assert_allclose(found, expected, rtol=0, atol=0)
