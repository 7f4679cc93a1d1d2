"""The rectified network, against its equation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.testing import assert_allclose

from recurra.cells import Weights
from recurra.cells.relu_rnn import ReLURNNCell, ReLURNNState

IN, H, B = 2, 3, 4


def test_step_is_its_equations(
    random_weights: Callable[..., Weights], rng: np.random.Generator
) -> None:
    weights = random_weights(ReLURNNCell(), IN, H)
    x, h = rng.normal(size=(B, IN)), rng.normal(size=(B, H))
    output, state = ReLURNNCell().step(ReLURNNCell().project(x, weights), ReLURNNState(h), weights)
    for b in range(B):
        total = weights["weight_ih"] @ x[b] + weights["weight_hh"] @ h[b] + weights["bias"]
        assert_allclose(output[b], np.maximum(total, 0), rtol=0, atol=1e-12)  # rounding
    assert_allclose(state.hidden, output, rtol=0, atol=0)


def test_the_recurrence_starts_orthogonal_and_the_bias_at_zero(rng: np.random.Generator) -> None:
    weight_hh, bias = (
        rule(rng, shape)
        for name, (shape, rule) in ReLURNNCell().parameters(5, 6).items()
        if name in ("weight_hh", "bias")
    )
    assert_allclose(weight_hh @ weight_hh.T, np.eye(6), rtol=0, atol=1e-12)  # rounding
    assert not bias.any()
