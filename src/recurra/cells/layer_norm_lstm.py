"""Long short-term memory with layer normalisation."""

from __future__ import annotations

from typing import NamedTuple

from recurra.arrays import Array, layer_norm, sigmoid, split, tanh
from recurra.cells._cell import (
    Cell,
    Parameter,
    Weights,
    constant,
    gate_bias,
    orthogonal,
    uniform,
)


class LayerNormLSTMState(NamedTuple):
    """hidden and cell, each (B, H)."""

    hidden: Array
    cell: Array


class LayerNormLSTMCell(Cell[LayerNormLSTMState]):
    """LSTM with layer normalisation (ba2016, equations 20 to 22). Gate order i, f, g, o.

        x_gates = LN(W_ih x; gain_ih) + b          a = x_gates + LN(W_hh h; gain_hh)
        i, f, o = sigmoid(a)      g = tanh(a)      c' = f * c + i * g
        h' = o * tanh(LN(c'; gain_cell) + bias_cell)

    LN(v; gain) = gain * (v − mean v) / sqrt(var v + 1e-5), over all 4H products of a step together
    as in the paper, and over the H units of c'. The shifts of the first two LN are the one bias b,
    (4H,). The LN of the input is done for all steps at once, x_gates (T, B, 4H). Gains start at
    1, the forget bias at 1 (jozefowicz2015), W_hh as an orthogonal matrix a gate (saxe2014).
    """

    gates = ("i", "f", "g", "o")
    State = LayerNormLSTMState

    def parameters(self, input_size: int, hidden_size: int) -> dict[str, Parameter]:
        return {
            "weight_ih": Parameter((4 * hidden_size, input_size), uniform),
            "weight_hh": Parameter((4 * hidden_size, hidden_size), orthogonal),
            "bias": Parameter((4 * hidden_size,), gate_bias(self.gates, {"f": 1.0})),
            "gain_ih": Parameter((4 * hidden_size,), constant(1.0)),
            "gain_hh": Parameter((4 * hidden_size,), constant(1.0)),
            "gain_cell": Parameter((hidden_size,), constant(1.0)),
            "bias_cell": Parameter((hidden_size,), constant(0.0)),
        }

    def condition(self, products: Array, weights: Weights) -> Array:
        return layer_norm(products, weights.gain_ih) + weights.bias

    def step(
        self, x_gates: Array, state: LayerNormLSTMState, weights: Weights
    ) -> tuple[Array, LayerNormLSTMState]:
        products = layer_norm(state.hidden @ weights.weight_hh.T, weights.gain_hh)  # (B, 4H)
        i, f, g, o = split(x_gates + products, 4)  # each (B, H)
        cell = sigmoid(f) * state.cell + sigmoid(i) * tanh(g)
        hidden = sigmoid(o) * tanh(layer_norm(cell, weights.gain_cell) + weights.bias_cell)
        return hidden, LayerNormLSTMState(hidden, cell)
