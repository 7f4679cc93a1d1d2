"""The vanilla recurrent network, with tanh."""

from __future__ import annotations

from typing import NamedTuple

from recurra.arrays import Array, tanh
from recurra.cells._cell import Cell, Parameter, Weights, constant, orthogonal, uniform


class RNNState(NamedTuple):
    """hidden (B, H), which is the output too."""

    hidden: Array


class RNNCell(Cell[RNNState]):
    """The simple recurrent network (elman1990), as torch.nn.RNN has it. One gate, h.

        h' = tanh(x_gates + W_hh h)

    x_gates is W_ih x + b for all steps at once, (T, B, H). W_hh starts orthogonal (saxe2014), so
    that gradients through the product alone neither grow nor shrink; the bias at 0.
    """

    gates = ("h",)
    State = RNNState

    def parameters(self, input_size: int, hidden_size: int) -> dict[str, Parameter]:
        return {
            "weight_ih": Parameter((hidden_size, input_size), uniform),
            "weight_hh": Parameter((hidden_size, hidden_size), orthogonal),
            "bias": Parameter((hidden_size,), constant(0.0)),
        }

    def step(self, x_gates: Array, state: RNNState, weights: Weights) -> tuple[Array, RNNState]:
        hidden = tanh(x_gates + state.hidden @ weights.weight_hh.T)  # (B, H)
        return hidden, RNNState(hidden)
