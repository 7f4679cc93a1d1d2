"""One recurrent layer in one direction: a cell's weights as parameters, and the loop over time.

The loop is native where `recurra.fused` takes the layer, and the cell's `step` on torch elsewhere.
How layers and directions are put together, dropout and the checks of what comes in are the
stack's. Nothing here knows a cell by name.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from recurra import fused
from recurra.arrays import where
from recurra.cells import Cell, Weights
from recurra.layers.dropout import Dropout

CellState = Any  # the cell's named tuple of (B, H) tensors


class Layer(nn.Module):
    """The weights of `cell`, named as it names them; a learned state is `initial_<field>` (H,)."""

    def __init__(
        self,
        cell: Cell[Any],
        input_size: int,
        hidden_size: int,
        *,
        reverse: bool,
        learned_state: bool,
        weight_dropout: float,
        rng: np.random.Generator,
    ) -> None:
        super().__init__()
        self.cell = cell
        self.hidden_size = hidden_size
        self.reverse = reverse
        self.learned_state = learned_state
        self.weight_dropout = Dropout(weight_dropout)
        parameters = cell.parameters(input_size, hidden_size)
        self.weight_names = tuple(parameters)
        for name, (shape, initial) in parameters.items():
            drawn = torch.from_numpy(initial(rng, shape).astype(np.float32))
            self.register_parameter(name, nn.Parameter(drawn))
        for field in cell.State._fields if learned_state else ():
            self.register_parameter(f"initial_{field}", nn.Parameter(torch.zeros(hidden_size)))

    @property
    def weights(self) -> Weights:
        """The cell's weights by name, without a learned initial state."""
        return Weights({name: getattr(self, name) for name in self.weight_names})

    def dropped_weights(self, generator: torch.Generator | None) -> Weights:
        """`weights`, in training with `weight_dropout` on those that read the hidden state."""
        weights = self.weights
        if self.training and self.weight_dropout.probability:
            for name, value in weights.items():
                if value.dim() == 2 and name != "weight_ih":
                    weights[name] = self.weight_dropout(value, generator)
        return weights

    def initial_state(self, batch: int) -> CellState:
        """The learned state for each of `batch` sequences, or zeros; each field (B, H)."""
        if not self.learned_state:
            return self.cell.initial_state(batch, self.hidden_size, self.weights.weight_ih)
        fields = self.cell.State._fields
        learned = (getattr(self, f"initial_{field}") for field in fields)
        return self.cell.State(*(value.expand(batch, -1) for value in learned))

    def forward(
        self,
        x: Tensor,
        state: CellState,
        lengths: Tensor | None,
        generator: torch.Generator | None,
    ) -> tuple[Tensor, CellState]:
        """Outputs (T, B, H) and the state after each sequence's last step (first, if reversed).

        x (T, B, I); state fields (B, H); lengths (B,), past which outputs are zero, the state
        stays as it was, and x is not looked at. `generator` is weight dropout's.
        """
        return self._run(self.dropped_weights(generator), state, lengths, x=x)

    def forward_ids(
        self,
        ids: Tensor,
        embedding: Tensor | None,
        state: CellState,
        lengths: Tensor | None,
        generator: torch.Generator | None,
    ) -> tuple[Tensor, CellState]:
        """What `forward` gives for `embedding[ids]`, or for one-hot input if that is None."""
        weights = self.dropped_weights(generator)
        return self._run(weights, state, lengths, **self._source(ids, embedding, weights))

    def _source(self, ids: Tensor, embedding: Tensor | None, weights: Weights) -> dict[str, Tensor]:
        """What `fused.layer` reads of ids (T, B): x, x_gates, or rows of a table of them.

        Where symbols do not outnumber ids, x_gates are rows of a (V, G·H) table.
        """
        symbols = weights.weight_ih.shape[1] if embedding is None else len(embedding)
        if symbols <= ids.numel():
            table = (
                self._one_hot_gates(None)
                if embedding is None
                else self.cell.project(embedding, weights)
            )
            return {"x_gates": table, "ids": ids}
        if embedding is None:
            return {"x_gates": self._one_hot_gates(ids)}
        return {"x": nn.functional.embedding(ids, embedding)}

    def _run(
        self,
        weights: Weights,
        state: CellState,
        lengths: Tensor | None,
        *,
        x: Tensor | None = None,
        x_gates: Tensor | None = None,
        ids: Tensor | None = None,
    ) -> tuple[Tensor, CellState]:
        """In the kernels where they take it, in the loop of `step` elsewhere."""
        if fused.takes(self.cell, x, x_gates, *state, *weights.values()):
            given = {"x": x, "x_gates": x_gates, "ids": ids}
            return fused.layer(self.cell, weights, state, lengths, self.reverse, **given)
        if x is not None:
            if lengths is not None:  # weights' gradients are sums over all steps: 0 · NaN is NaN
                x = x.masked_fill(~_real(len(x), lengths, x.device), 0)
            x_gates = self.cell.project(x, weights)
        elif ids is not None:
            assert x_gates is not None
            x_gates = nn.functional.embedding(ids, x_gates)
        assert x_gates is not None
        return self._reference(x_gates, weights, state, lengths)

    def _one_hot_gates(self, ids: Tensor | None) -> Tensor:
        """x_gates (…, G·H) of one-hot inputs given as ids (…), or of every id (I, G·H): no GEMM."""
        columns = self.weights.weight_ih.T  # (I, G·H): row v is W_ih times one-hot v
        products = columns.contiguous() if ids is None else nn.functional.embedding(ids, columns)
        return self.cell.condition(products, self.weights)  # type: ignore[no-any-return]

    def _reference(
        self, x_gates: Tensor, weights: Weights, state: CellState, lengths: Tensor | None
    ) -> tuple[Tensor, CellState]:
        """The loop of `step` over x_gates (T, B, G·H), with `forward`'s results."""
        if lengths is None:
            return self._unroll(x_gates, weights, state, None, len(x_gates))
        real = _real(len(x_gates), lengths, x_gates.device)
        outputs, state = self._unroll(x_gates, weights, state, real.unbind(0), int(lengths.min()))
        return outputs.masked_fill(~real, 0), state

    def _unroll(
        self,
        x_gates: Tensor,
        weights: Weights,
        state: CellState,
        real: tuple[Tensor, ...] | None,
        shortest: int,
    ) -> tuple[Tensor, CellState]:
        """The loop of `step`; real[t] (B, 1) is looked at only from step `shortest` on."""
        step, kind = self.cell.step, self.cell.State
        gates = x_gates.unbind(0)
        order = range(len(gates))
        outputs = []
        for t in reversed(order) if self.reverse else order:
            output, after = step(gates[t], state, weights)
            if real is not None and t >= shortest:
                mask = real[t]
                after = kind(*(where(mask, a, b) for a, b in zip(after, state, strict=True)))
            outputs.append(output)
            state = after
        if self.reverse:
            outputs.reverse()
        return torch.stack(outputs), state


def _real(steps: int, lengths: Tensor, device: torch.device) -> Tensor:
    """(T, B, 1), True up to each length."""
    return (torch.arange(steps, device=lengths.device)[:, None] < lengths).to(device)[..., None]
