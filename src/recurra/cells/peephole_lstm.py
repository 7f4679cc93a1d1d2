"""Long short-term memory whose gates see the cell."""

from __future__ import annotations

from typing import NamedTuple

from recurra.arrays import Array, sigmoid, split, tanh
from recurra.cells._cell import (
    Cell,
    Parameter,
    Weights,
    constant,
    gate_bias,
    orthogonal,
    uniform,
)


class PeepholeLSTMState(NamedTuple):
    """hidden and cell, each (B, H)."""

    hidden: Array
    cell: Array


class PeepholeLSTMCell(Cell[PeepholeLSTMState]):
    """LSTM with peephole connections (gers2002; the form of greff2015). Gate order i, f, g, o.

        i, f = sigmoid(x_gates + W_hh h + p_i, p_f * c)      g = tanh(x_gates + W_hh h)
        c' = f * c + i * g
        o = sigmoid(x_gates + W_hh h + p_o * c')             h' = o * tanh(c')

    The output gate sees the new cell. x_gates is W_ih x + b for all steps at once, (T, B, 4H);
    each peephole is a diagonal, (H,), and starts at 0: at first the cell is `lstm`, with its
    forget bias of 1 (jozefowicz2015) and an orthogonal W_hh a gate (saxe2014).
    """

    gates = ("i", "f", "g", "o")
    State = PeepholeLSTMState

    def parameters(self, input_size: int, hidden_size: int) -> dict[str, Parameter]:
        return {
            "weight_ih": Parameter((4 * hidden_size, input_size), uniform),
            "weight_hh": Parameter((4 * hidden_size, hidden_size), orthogonal),
            "bias": Parameter((4 * hidden_size,), gate_bias(self.gates, {"f": 1.0})),
            "peephole_i": Parameter((hidden_size,), constant(0.0)),
            "peephole_f": Parameter((hidden_size,), constant(0.0)),
            "peephole_o": Parameter((hidden_size,), constant(0.0)),
        }

    def step(
        self, x_gates: Array, state: PeepholeLSTMState, weights: Weights
    ) -> tuple[Array, PeepholeLSTMState]:
        i, f, g, o = split(x_gates + state.hidden @ weights.weight_hh.T, 4)  # each (B, H)
        i = sigmoid(i + weights.peephole_i * state.cell)
        f = sigmoid(f + weights.peephole_f * state.cell)
        cell = f * state.cell + i * tanh(g)
        o = sigmoid(o + weights.peephole_o * cell)
        hidden = o * tanh(cell)
        return hidden, PeepholeLSTMState(hidden, cell)
