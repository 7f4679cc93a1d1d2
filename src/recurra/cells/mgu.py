"""The minimal gated unit: one gate."""

from __future__ import annotations

from typing import NamedTuple

from recurra.arrays import Array, sigmoid, split, tanh
from recurra.cells._cell import Cell, Parameter, Weights, constant, orthogonal, uniform


class MGUState(NamedTuple):
    """hidden (B, H), which is the output too."""

    hidden: Array


class MGUCell(Cell[MGUState]):
    """The minimal gated unit (zhou2016): the GRU with reset and update gate in one. Order f, n.

        f = sigmoid(x_gates + W_hh h)
        n = tanh(x_gates + W_hn (f * h))      h' = (1 − f) * h + f * n

    f takes the new state, unlike the GRU's z, which keeps the old one. x_gates is W_ih x + b for
    all steps at once, (T, B, 2H). W_hh (H, H) is the gate's; the candidate multiplies f * h, hence
    its own matrix `weight_hn` (H, H). Both start orthogonal (saxe2014), the bias at 0.
    """

    gates = ("f", "n")
    State = MGUState

    def parameters(self, input_size: int, hidden_size: int) -> dict[str, Parameter]:
        return {
            "weight_ih": Parameter((2 * hidden_size, input_size), uniform),
            "weight_hh": Parameter((hidden_size, hidden_size), orthogonal),
            "weight_hn": Parameter((hidden_size, hidden_size), orthogonal),
            "bias": Parameter((2 * hidden_size,), constant(0.0)),
        }

    def step(self, x_gates: Array, state: MGUState, weights: Weights) -> tuple[Array, MGUState]:
        x_f, x_n = split(x_gates, 2)  # each (B, H)
        f = sigmoid(x_f + state.hidden @ weights.weight_hh.T)
        n = tanh(x_n + (f * state.hidden) @ weights.weight_hn.T)
        hidden = state.hidden + f * (n - state.hidden)  # (1 − f) * h + f * n
        return hidden, MGUState(hidden)
