"""The vanilla recurrent network, with ReLU."""

from __future__ import annotations

from typing import NamedTuple

from recurra.arrays import Array, relu
from recurra.cells._cell import Cell, Parameter, Weights, constant, orthogonal, uniform


class ReLURNNState(NamedTuple):
    """hidden (B, H), which is the output too; never negative."""

    hidden: Array


class ReLURNNCell(Cell[ReLURNNState]):
    """The recurrent network of rectified units, as torch.nn.RNN(nonlinearity="relu"). One gate, h.

        h' = max(0, x_gates + W_hh h)

    x_gates is W_ih x + b for all steps at once, (T, B, H). Nothing bounds h from above: W_hh
    starts orthogonal (saxe2014), which never makes it longer; the bias at 0. `irnn` is the same
    equation from another start.
    """

    gates = ("h",)
    State = ReLURNNState

    def parameters(self, input_size: int, hidden_size: int) -> dict[str, Parameter]:
        return {
            "weight_ih": Parameter((hidden_size, input_size), uniform),
            "weight_hh": Parameter((hidden_size, hidden_size), orthogonal),
            "bias": Parameter((hidden_size,), constant(0.0)),
        }

    def step(
        self, x_gates: Array, state: ReLURNNState, weights: Weights
    ) -> tuple[Array, ReLURNNState]:
        hidden = relu(x_gates + state.hidden @ weights.weight_hh.T)  # (B, H)
        return hidden, ReLURNNState(hidden)
