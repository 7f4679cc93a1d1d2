"""The recurrent network of rectified units that starts as a memory."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recurra.arrays import Array, relu
from recurra.cells._cell import Cell, Parameter, Weights, constant


class IRNNState(NamedTuple):
    """hidden (B, H), which is the output too; never negative."""

    hidden: Array


class IRNNCell(Cell[IRNNState]):
    """The IRNN (le2015): rectified units whose recurrence starts as the identity. One gate, h.

        h' = max(0, x_gates + W_hh h)

    x_gates is W_ih x + b for all steps at once, (T, B, H). W_hh starts as the identity and the
    bias at 0: a state stays, and its gradient with it, until an input changes it. W_ih starts
    small, N(0, 0.001²), so that inputs add up slowly.
    """

    gates = ("h",)
    State = IRNNState

    def parameters(self, input_size: int, hidden_size: int) -> dict[str, Parameter]:
        return {
            "weight_ih": Parameter((hidden_size, input_size), _small),
            "weight_hh": Parameter((hidden_size, hidden_size), _identity),
            "bias": Parameter((hidden_size,), constant(0.0)),
        }

    def step(self, x_gates: Array, state: IRNNState, weights: Weights) -> tuple[Array, IRNNState]:
        hidden = relu(x_gates + state.hidden @ weights.weight_hh.T)  # (B, H)
        return hidden, IRNNState(hidden)


def _small(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    return rng.normal(0.0, 0.001, shape)


def _identity(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    return np.eye(shape[0])
