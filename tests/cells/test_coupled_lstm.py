"""The LSTM with coupled gates, against its equations."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from recurra.cells import Weights
from recurra.cells.coupled_lstm import CoupledLSTMCell, CoupledLSTMState
from recurra.cells.lstm import LSTMCell, LSTMState

IN, H, B = 2, 3, 4


def sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-x))


def test_step_is_its_equations(
    random_weights: Callable[..., Weights], rng: np.random.Generator
) -> None:
    lstm = CoupledLSTMCell()
    weights = random_weights(lstm, IN, H)
    x, h, c = rng.normal(size=(B, IN)), rng.normal(size=(B, H)), rng.normal(size=(B, H))
    x_gates = lstm.project(x, weights)
    output, state = lstm.step(x_gates, CoupledLSTMState(h, c), weights)
    W_if, W_ig, W_io = np.split(weights["weight_ih"], 3)
    W_hf, W_hg, W_ho = np.split(weights["weight_hh"], 3)
    b_f, b_g, b_o = np.split(weights["bias"], 3)
    for b in range(B):
        f = sigmoid(W_if @ x[b] + W_hf @ h[b] + b_f)
        g = np.tanh(W_ig @ x[b] + W_hg @ h[b] + b_g)
        o = sigmoid(W_io @ x[b] + W_ho @ h[b] + b_o)
        cell = f * c[b] + (1 - f) * g
        assert_allclose(state.cell[b], cell, rtol=0, atol=1e-12)  # rounding
        assert_allclose(output[b], o * np.tanh(cell), rtol=0, atol=1e-12)
    assert_allclose(state.hidden, output, rtol=0, atol=0)


def test_the_forget_bias_starts_at_one_and_the_others_at_zero(rng: np.random.Generator) -> None:
    shape, rule = CoupledLSTMCell().parameters(5, 2)["bias"]
    assert_allclose(rule(rng, shape), [1, 1, 0, 0, 0, 0], rtol=0, atol=0)


def test_it_is_the_lstm_whose_input_gate_reads_minus_what_the_forget_gate_reads(
    random_weights: Callable[..., Weights], rng: np.random.Generator
) -> None:
    coupled, plain = CoupledLSTMCell(), LSTMCell()
    weights = random_weights(coupled, IN, H)
    # sigmoid(−a) = 1 − sigmoid(a)
    full = Weights({name: np.concatenate([-value[:H], value]) for name, value in weights.items()})
    x, h, c = rng.normal(size=(B, IN)), rng.normal(size=(B, H)), rng.normal(size=(B, H))
    _, found = coupled.step(coupled.project(x, weights), CoupledLSTMState(h, c), weights)
    _, expected = plain.step(plain.project(x, full), LSTMState(h, c), full)
    assert_allclose(found, expected, rtol=0, atol=1e-12)  # rounding
