"""Long short-term memory whose input gate is what the forget gate leaves."""

from __future__ import annotations

from typing import NamedTuple

from recurra.arrays import Array, sigmoid, split, tanh
from recurra.cells._cell import Cell, Parameter, Weights, gate_bias, orthogonal, uniform


class CoupledLSTMState(NamedTuple):
    """hidden and cell, each (B, H)."""

    hidden: Array
    cell: Array


class CoupledLSTMCell(Cell[CoupledLSTMState]):
    """LSTM with coupled input and forget gate (greff2015's CIFG). Gate order f, g, o.

        f, o = sigmoid(x_gates + W_hh h)      g = tanh(x_gates + W_hh h)
        c' = f * c + (1 − f) * g              h' = o * tanh(c')

    The cell is a weighted mean of its past and g, so it stays within (−1, 1). x_gates is
    W_ih x + b for all steps at once, (T, B, 3H): three quarters of the LSTM's weights. The forget
    bias starts at 1 (jozefowicz2015), W_hh as an orthogonal matrix a gate (saxe2014).
    """

    gates = ("f", "g", "o")
    State = CoupledLSTMState

    def parameters(self, input_size: int, hidden_size: int) -> dict[str, Parameter]:
        return {
            "weight_ih": Parameter((3 * hidden_size, input_size), uniform),
            "weight_hh": Parameter((3 * hidden_size, hidden_size), orthogonal),
            "bias": Parameter((3 * hidden_size,), gate_bias(self.gates, {"f": 1.0})),
        }

    def step(
        self, x_gates: Array, state: CoupledLSTMState, weights: Weights
    ) -> tuple[Array, CoupledLSTMState]:
        f, g, o = split(x_gates + state.hidden @ weights.weight_hh.T, 3)  # each (B, H)
        g = tanh(g)
        cell = g + sigmoid(f) * (state.cell - g)  # f * c + (1 − f) * g
        hidden = sigmoid(o) * tanh(cell)
        return hidden, CoupledLSTMState(hidden, cell)
