"""The gated recurrent unit that resets after the product."""

from __future__ import annotations

from typing import NamedTuple

from recurra.arrays import Array, sigmoid, split, tanh
from recurra.cells._cell import Cell, Parameter, Weights, constant, orthogonal, uniform


class GRUState(NamedTuple):
    """hidden (B, H), which is the output too."""

    hidden: Array


class GRUCell(Cell[GRUState]):
    """The gated recurrent unit in the form of torch.nn.GRU and cuDNN (cho2014). Order r, z, n.

        r, z = sigmoid(x_gates + W_hh h)
        n = tanh(x_gates + r * (W_hh h + b_hn))      h' = (1 − z) * n + z * h

    z keeps the old state. The reset gate scales the product, not h: one GEMM a step;
    `gru_reset_before` is the paper's order. x_gates is W_ih x + b for all steps at once,
    (T, B, 3H); b_hn (H,) stands inside the recurrence, hence its own parameter `bias_hn`.
    W_hh starts as an orthogonal matrix a gate (saxe2014), both biases at 0.
    """

    gates = ("r", "z", "n")
    State = GRUState

    def parameters(self, input_size: int, hidden_size: int) -> dict[str, Parameter]:
        return {
            "weight_ih": Parameter((3 * hidden_size, input_size), uniform),
            "weight_hh": Parameter((3 * hidden_size, hidden_size), orthogonal),
            "bias": Parameter((3 * hidden_size,), constant(0.0)),
            "bias_hn": Parameter((hidden_size,), constant(0.0)),
        }

    def step(self, x_gates: Array, state: GRUState, weights: Weights) -> tuple[Array, GRUState]:
        x_r, x_z, x_n = split(x_gates, 3)  # each (B, H)
        h_r, h_z, h_n = split(state.hidden @ weights.weight_hh.T, 3)
        r = sigmoid(x_r + h_r)
        z = sigmoid(x_z + h_z)
        n = tanh(x_n + r * (h_n + weights.bias_hn))
        hidden = n + z * (state.hidden - n)  # (1 − z) * n + z * h
        return hidden, GRUState(hidden)
