"""The IRNN, against its equation and its start."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.testing import assert_allclose

from recurra.cells import Weights
from recurra.cells.irnn import IRNNCell, IRNNState

IN, H, B = 2, 3, 4


def test_step_is_its_equations(
    random_weights: Callable[..., Weights], rng: np.random.Generator
) -> None:
    weights = random_weights(IRNNCell(), IN, H)
    x, h = rng.normal(size=(B, IN)), rng.normal(size=(B, H))
    output, state = IRNNCell().step(IRNNCell().project(x, weights), IRNNState(h), weights)
    for b in range(B):
        total = weights["weight_ih"] @ x[b] + weights["weight_hh"] @ h[b] + weights["bias"]
        assert_allclose(output[b], np.maximum(total, 0), rtol=0, atol=1e-12)  # rounding
    assert_allclose(state.hidden, output, rtol=0, atol=0)


def test_the_recurrence_starts_as_the_identity(rng: np.random.Generator) -> None:
    start = {n: rule(rng, shape) for n, (shape, rule) in IRNNCell().parameters(200, 100).items()}
    assert_allclose(start["weight_hh"], np.eye(100), rtol=0, atol=0)
    assert not start["bias"].any()
    # 20,000 draws estimate a standard deviation to 0.5%; five times that
    assert_allclose(start["weight_ih"].std(), 0.001, rtol=0.025)


def test_a_state_stays_for_100_steps_without_input(rng: np.random.Generator) -> None:
    weights = Weights(
        {n: rule(rng, shape) for n, (shape, rule) in IRNNCell().parameters(IN, H).items()}
    )
    before = IRNNState(np.array([[0.0, 1.5, 40.0]]))
    x_gates = IRNNCell().project(np.zeros((1, IN)), weights)
    state = before
    for _ in range(100):
        _, state = IRNNCell().step(x_gates, state, weights)
    assert_allclose(state.hidden, before.hidden, rtol=0, atol=0)
