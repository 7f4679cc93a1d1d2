"""Long short-term memory."""

from __future__ import annotations

from typing import NamedTuple

from recurra.arrays import Array, sigmoid, split, tanh
from recurra.cells._cell import Cell, Parameter, Weights, gate_bias, orthogonal, uniform


class LSTMState(NamedTuple):
    """hidden and cell, each (B, H)."""

    hidden: Array
    cell: Array


class LSTMCell(Cell[LSTMState]):
    """Long short-term memory (hochreiter1997; forget gate: gers2000). Gate order i, f, g, o.

        i, f, o = sigmoid(x_gates + W_hh h)      g = tanh(x_gates + W_hh h)
        c' = f * c + i * g                       h' = o * tanh(c')

    x_gates is W_ih x + b for all steps at once, (T, B, 4H). The forget bias starts at 1
    (jozefowicz2015), W_hh as an orthogonal matrix a gate (saxe2014).
    """

    gates = ("i", "f", "g", "o")
    State = LSTMState

    def parameters(self, input_size: int, hidden_size: int) -> dict[str, Parameter]:
        return {
            "weight_ih": Parameter((4 * hidden_size, input_size), uniform),
            "weight_hh": Parameter((4 * hidden_size, hidden_size), orthogonal),
            "bias": Parameter((4 * hidden_size,), gate_bias(self.gates, {"f": 1.0})),
        }

    def step(self, x_gates: Array, state: LSTMState, weights: Weights) -> tuple[Array, LSTMState]:
        i, f, g, o = split(x_gates + state.hidden @ weights.weight_hh.T, 4)  # each (B, H)
        cell = sigmoid(f) * state.cell + sigmoid(i) * tanh(g)
        hidden = sigmoid(o) * tanh(cell)
        return hidden, LSTMState(hidden, cell)
