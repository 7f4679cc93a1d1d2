"""A direction of a recurrent layer: a cell's weights as parameters. And the loop over time.

The loop is native where `recurra.fused` takes the layer, and then of both directions at once; the
cell's `step` on torch elsewhere. How layers are put together, dropout between them and the checks
of what comes in are the stack's. Nothing here knows a cell by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from recurra import fused
from recurra.arrays import where
from recurra.cells import Cell, Weights
from recurra.layers.dropout import Dropout

CellState = Any  # the cell's named tuple of (B, H) tensors


class Symbols(NamedTuple):
    """Input that is given by ids: the vectors `embedding[ids]`, or one-hot where that is None."""

    ids: Tensor  # (T, B) int64
    embedding: Tensor | None  # (V, I)


class Source(NamedTuple):
    """What a direction's loop reads: x (T, B, I) or x_gates (T, B, G·H), or rows of a table."""

    read: Tensor
    projected: bool = False  # it is x_gates
    ids: Tensor | None = None  # (T, B): the rows that are read, of (V, I) or (V, G·H)


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
        given: Tensor | Symbols,
        state: CellState,
        lengths: Tensor | None,
        generator: torch.Generator | None,
    ) -> tuple[Tensor, CellState]:
        """What `run` gives for this direction alone."""
        outputs, (final,) = run([self], given, [state], lengths, generator)
        return outputs, final

    def one_hot_gates(self, ids: Tensor | None) -> Tensor:
        """x_gates (…, G·H) of one-hot inputs given as ids (…), or of every id (I, G·H): no GEMM."""
        columns = self.weights.weight_ih.T  # (I, G·H): row v is W_ih times one-hot v
        products = columns.contiguous() if ids is None else nn.functional.embedding(ids, columns)
        return self.cell.condition(products, self.weights)  # type: ignore[no-any-return]

    def loop(
        self, source: Source, weights: Weights, state: CellState, lengths: Tensor | None
    ) -> tuple[Tensor, CellState]:
        """The loop of `step`, with `forward`'s results."""
        read, projected, ids = source
        if ids is not None:
            read = nn.functional.embedding(ids, read)
        if lengths is not None and not projected:  # weights' gradients are sums over all steps:
            read = read.masked_fill(~_real(len(read), lengths, read.device), 0)  # 0 · NaN is NaN
        x_gates = read if projected else self.cell.project(read, weights)  # (T, B, G·H)
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


def run(
    layers: Sequence[Layer],
    given: Tensor | Symbols,
    state: Sequence[CellState],
    lengths: Tensor | None,
    generator: torch.Generator | None,
) -> tuple[Tensor, Sequence[CellState]]:
    """Outputs (T, B, D·H) of one direction or both, forward then reverse, and their final states.

    given: x (T, B, I), or symbols; a state a direction, fields (B, H); lengths (B,), past which
    outputs are zero, the state stays as it was, and the input is not looked at. A final state is
    that after each sequence's last step (first, if reversed). `generator` is weight dropout's.
    """
    cell = layers[0].cell
    weights = [layer.dropped_weights(generator) for layer in layers]
    sources = [_source(layer, given, own) for layer, own in zip(layers, weights, strict=True)]
    read = [one.read for one in sources]
    fields = [field for one in state for field in one]
    values = [value for one in weights for value in one.values()]
    if fused.takes(cell, *read, *fields, *values):
        x, projected, ids = sources[0]
        form: dict[str, Any] = {"x_gates": read} if projected else {"x": x}
        return fused.layer(cell, weights, state, lengths, layers[0].reverse, ids=ids, **form)
    each = zip(layers, sources, weights, state, strict=True)
    return joined([layer.loop(source, own, start, lengths) for layer, source, own, start in each])


def joined(parts: Sequence[tuple[Tensor, CellState]]) -> tuple[Tensor, list[CellState]]:
    """What each direction gave as one layer's: outputs (T, B, D·H), and the final states."""
    outputs = [output for output, _ in parts]
    final = [after for _, after in parts]
    return torch.cat(outputs, dim=-1) if len(parts) > 1 else outputs[0], final


def _source(layer: Layer, given: Tensor | Symbols, weights: Weights) -> Source:
    """The input as it is read with least work; of a direction, and of both the same form.

    Where symbols do not outnumber ids, x_gates are rows of a (V, G·H) table.
    """
    if isinstance(given, Tensor):
        return Source(given)
    ids, embedding = given
    symbols = weights.weight_ih.shape[1] if embedding is None else len(embedding)
    table = symbols <= ids.numel()
    if embedding is not None:
        read = layer.cell.project(embedding, weights) if table else embedding
        return Source(read, table, ids)
    if table:
        return Source(layer.one_hot_gates(None), True, ids)
    return Source(layer.one_hot_gates(ids), True)


def _real(steps: int, lengths: Tensor, device: torch.device) -> Tensor:
    """(T, B, 1), True up to each length."""
    return (torch.arange(steps, device=lengths.device)[:, None] < lengths).to(device)[..., None]
