"""The gated recurrent unit that resets before the product."""

from __future__ import annotations

from typing import NamedTuple

from recurra.arrays import Array, sigmoid, split, tanh
from recurra.cells._cell import Cell, Parameter, Weights, constant, orthogonal, uniform


class GRUResetBeforeState(NamedTuple):
    """hidden (B, H), which is the output too."""

    hidden: Array


class GRUResetBeforeCell(Cell[GRUResetBeforeState]):
    """The gated recurrent unit as it was published (cho2014). Gate order r, z, n.

        r, z = sigmoid(x_gates + W_hh h)
        n = tanh(x_gates + W_hn (r * h))      h' = (1 − z) * n + z * h

    z keeps the old state. x_gates is W_ih x + b for all steps at once, (T, B, 3H). W_hh (2H, H)
    holds r and z; the candidate multiplies r * h, not h, hence its own matrix `weight_hn` (H, H)
    and a second, dependent product a step. Recurrent matrices start orthogonal (saxe2014), the
    bias at 0.
    """

    gates = ("r", "z", "n")
    State = GRUResetBeforeState

    def parameters(self, input_size: int, hidden_size: int) -> dict[str, Parameter]:
        return {
            "weight_ih": Parameter((3 * hidden_size, input_size), uniform),
            "weight_hh": Parameter((2 * hidden_size, hidden_size), orthogonal),
            "weight_hn": Parameter((hidden_size, hidden_size), orthogonal),
            "bias": Parameter((3 * hidden_size,), constant(0.0)),
        }

    def step(
        self, x_gates: Array, state: GRUResetBeforeState, weights: Weights
    ) -> tuple[Array, GRUResetBeforeState]:
        x_r, x_z, x_n = split(x_gates, 3)  # each (B, H)
        h_r, h_z = split(state.hidden @ weights.weight_hh.T, 2)
        r = sigmoid(x_r + h_r)
        z = sigmoid(x_z + h_z)
        n = tanh(x_n + (r * state.hidden) @ weights.weight_hn.T)
        hidden = n + z * (state.hidden - n)  # (1 − z) * n + z * h
        return hidden, GRUResetBeforeState(hidden)
