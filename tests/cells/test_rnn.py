"""The tanh network, against its equation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.testing import assert_allclose

from recurra.cells import Weights
from recurra.cells.rnn import RNNCell, RNNState

IN, H, B = 2, 3, 4


def test_step_is_its_equations(
    random_weights: Callable[..., Weights], rng: np.random.Generator
) -> None:
    weights = random_weights(RNNCell(), IN, H)
    x, h = rng.normal(size=(B, IN)), rng.normal(size=(B, H))
    output, state = RNNCell().step(RNNCell().project(x, weights), RNNState(h), weights)
    for b in range(B):
        total = weights["weight_ih"] @ x[b] + weights["weight_hh"] @ h[b] + weights["bias"]
        assert_allclose(output[b], np.tanh(total), rtol=0, atol=1e-12)  # rounding
    assert_allclose(state.hidden, output, rtol=0, atol=0)


def test_the_recurrence_starts_orthogonal_and_the_bias_at_zero(rng: np.random.Generator) -> None:
    weight_hh, bias = (
        rule(rng, shape)
        for name, (shape, rule) in RNNCell().parameters(5, 6).items()
        if name in ("weight_hh", "bias")
    )
    assert_allclose(weight_hh @ weight_hh.T, np.eye(6), rtol=0, atol=1e-12)  # rounding
    assert not bias.any()


def test_a_step_worked_by_hand() -> None:
    weights = Weights(weight_ih=np.array([[2.0]]), weight_hh=np.array([[-1.0]]), bias=np.ones(1))
    x_gates = RNNCell().project(np.array([[0.5]]), weights)
    output, _ = RNNCell().step(x_gates, RNNState(np.array([[1.0]])), weights)
    # 2 · 0.5 + 1 − 1 = 1, and tanh 1 = (e² − 1) / (e² + 1)
    assert_allclose(output, [[(np.e**2 - 1) / (np.e**2 + 1)]], rtol=0, atol=1e-15)
