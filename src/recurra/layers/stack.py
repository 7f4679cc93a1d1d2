"""The recurrent stack: layers over each other, one or two directions, lengths, state in and out.

The loop over time is `layer.py`'s, and on CUDA `cudnn.py`'s. Embedding and projection onto the
vocabulary, and dropout on the stack's input and output, are a model's: here `dropout` stands
between layers alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias, cast

import numpy as np
import torch
from torch import Tensor, nn

from recurra import rng as random
from recurra.cells import Cell
from recurra.config import require
from recurra.errors import ShapeError
from recurra.layers import cudnn
from recurra.layers.dropout import Dropout
from recurra.layers.hooks import hooked
from recurra.layers.layer import Layer, Symbols, joined, run
from recurra.shapes import check_shape

# A cell's state a layer and direction, each a named tuple of (B, H) tensors: layer 0 forward,
# layer 0 reverse, layer 1 forward, …
StackState: TypeAlias = tuple[Any, ...]


class Stack(nn.Module):
    """Recurrent layers over each other: (T, B, I) to (T, B, D·H), D = 2 if bidirectional, else 1.

    Parameters are `l0.weight_ih, …, l0_reverse.weight_ih, …, l1.weight_ih, …`, named as the cell
    names them; a learned state adds `l0.initial_hidden` (H,), one a field, zero at first. They are
    drawn from `rng` in that order (None: the `init` stream of seed 0) and are float32.

    `dropout` stands on the output of every layer but the last, with one mask for a whole sequence
    where `locked_dropout`; `weight_dropout` on the weights that read the hidden state, with one
    mask for all sequences and steps of a call (DropConnect, merity2018). Raises ConfigError for
    sizes below 1 and a dropout outside [0, 1).
    """

    def __init__(
        self,
        cell: Cell[Any],
        input_size: int,
        hidden_size: int,
        *,
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        locked_dropout: bool = False,
        weight_dropout: float = 0.0,
        learned_state: bool = False,
        rng: np.random.Generator | None = None,
    ) -> None:
        super().__init__()
        sizes = {"input_size": input_size, "hidden_size": hidden_size, "num_layers": num_layers}
        for name, size in sizes.items():
            require(size >= 1, name, size, "must be 1 or more")
        self.cell = cell
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.num_directions = 2 if bidirectional else 1
        self.dropout = Dropout(dropout, locked=locked_dropout)
        rng = random.generator(0, "init") if rng is None else rng
        for depth in range(num_layers):
            for direction in ("", "_reverse")[: self.num_directions]:
                layer = Layer(
                    cell,
                    self.num_directions * hidden_size if depth else input_size,
                    hidden_size,
                    reverse=bool(direction),
                    learned_state=learned_state,
                    weight_dropout=weight_dropout,
                    rng=rng,
                )
                self.add_module(f"l{depth}{direction}", layer)

    def layers(self, depth: int) -> list[Layer]:
        """Layer `depth`: forward, and reverse where there is one."""
        names = (f"l{depth}", f"l{depth}_reverse")[: self.num_directions]
        return [cast(Layer, getattr(self, name)) for name in names]

    def initial_state(self, batch: int) -> StackState:
        """The state before the first step of `batch` sequences: learned, or zeros."""
        depths = range(self.num_layers)
        return tuple(layer.initial_state(batch) for d in depths for layer in self.layers(d))

    def forward(
        self,
        x: Tensor,
        state: StackState | None = None,
        lengths: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, StackState]:
        """Outputs (T, B, D·H) of the last layer, and the state after each sequence's last step.

        x (T, B, I); `state` as an earlier call gave it (None: `initial_state`); `lengths` (B,), 0
        to T: past its length a sequence's output is zero and its state stays, so a padded batch
        equals each sequence alone, in both directions: what stands there in x reaches no output
        and no gradient, NaN neither. `generator` is dropout's.

        Raises ShapeError naming both shapes.
        """
        hint = "Batch-first data? Use x.transpose(0, 1)."
        check_shape("x", x, ("T", "B", self.input_size), hint)
        if cudnn.takes(self.cell, x, self.parameters()):
            return self._run_cudnn(x, state, lengths, generator)
        return self._run(x, (len(x), x.shape[1]), state, lengths, generator)

    def forward_ids(
        self,
        ids: Tensor,
        embedding: Tensor | None,
        state: StackState | None = None,
        lengths: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, StackState]:
        """What `forward` gives for the rows `embedding[ids]`, at less work; else as `forward`.

        ids (T, B), int64; embedding (V, I), or None for one-hot input of V = I symbols. Where
        V ≤ T·B, x_gates are rows of a (V, G·H) table that is built once a call; otherwise they come
        from the looked-up rows. A model that drops embeddings out calls `forward` in training.
        """
        check_shape("ids", ids, ("T", "B"))
        _check_integers("ids", ids)
        if embedding is not None:
            check_shape("embedding", embedding, ("V", self.input_size))
        if cudnn.takes(self.cell, ids, self.parameters()):
            if embedding is None:
                x = nn.functional.one_hot(ids, self.input_size).to(
                    self.layers(0)[0].weights.weight_ih.dtype
                )
            else:
                x = nn.functional.embedding(ids, embedding)
            return self._run_cudnn(x, state, lengths, generator)
        given = Symbols(ids, embedding)
        return self._run(given, (len(ids), ids.shape[1]), state, lengths, generator)

    def _run(
        self,
        given: Tensor | Symbols,
        sizes: tuple[int, int],
        state: StackState | None,
        lengths: Tensor | None,
        generator: torch.Generator | None,
    ) -> tuple[Tensor, StackState]:
        """Outputs and final state of an input of sizes (T, B)."""
        before = self.begin(sizes, state, lengths)
        after: list[Any] = []
        for depth in range(self.num_layers):
            layers = self.layers(depth)
            start = before[len(after) : len(after) + len(layers)]
            whole = all(type(one) is Layer for one in layers) and not hooked(layers)
            if len(layers) > 1 and whole:
                outputs, final = run(layers, given, start, lengths, generator)
            else:  # what stands for a direction, or a hook on it, sees what that takes and gives
                each = zip(layers, start, strict=True)
                parts = [layer(given, one, lengths, generator) for layer, one in each]
                outputs, final = joined(parts)
            after += final
            if depth + 1 < self.num_layers:
                given = self.dropout(outputs, generator)
        return outputs, tuple(after)

    def _run_cudnn(
        self,
        x: Tensor,
        state: StackState | None,
        lengths: Tensor | None,
        generator: torch.Generator | None,
    ) -> tuple[Tensor, StackState]:
        """Outputs and final state; one call for all layers, a call each where dropout stands."""
        before = self.begin((len(x), x.shape[1]), state, lengths)
        directions = self.num_directions
        dropped = self.training and self.dropout.probability > 0
        depths = 1 if dropped else self.num_layers  # in a call
        after: list[Any] = []
        for depth in range(0, self.num_layers, depths):
            if depth:
                x = self.dropout(x, generator)
            layers = [one for d in range(depth, depth + depths) for one in self.layers(d)]
            start = before[len(after) : len(after) + len(layers)]
            weights = [layer.dropped_weights(generator) for layer in layers]
            x, final = cudnn.run(self.cell, weights, x, start, lengths, directions)
            after += final
        return x, tuple(after)

    def begin(
        self, sizes: tuple[int, int], state: StackState | None, lengths: Tensor | None
    ) -> StackState:
        """The state that a call over T steps of B sequences starts from; the checks of both."""
        steps, batch = sizes
        if steps == 0:
            raise ShapeError(f"x must have at least one step but has shape (0, {batch}, …).")
        _check_lengths(lengths, steps, batch)
        return self.initial_state(batch) if state is None else self._checked(state, batch)

    def _checked(self, state: Sequence[Sequence[Tensor]], batch: int) -> StackState:
        """`state` as the cell's named tuples; plain tuples of the same tensors pass too."""
        kind = self.cell.State
        layers, fields = self.num_layers * self.num_directions, kind._fields
        if len(state) != layers or any(len(one) != len(fields) for one in state):
            raise ShapeError(
                f"state must be {layers} times ({', '.join(fields)}), one a layer and direction, "
                f"but is {len(state)} tuples of lengths {[len(one) for one in state]}."
            )
        for index, one in enumerate(state):
            for field, value in zip(fields, one, strict=True):
                check_shape(f"state[{index}].{field}", value, (batch, self.hidden_size))
        return tuple(kind(*one) for one in state)


def detached(state: StackState) -> StackState:
    """The same values without their history: where back-propagation is cut."""
    return tuple(type(one)(*(value.detach() for value in one)) for one in state)


def _check_lengths(lengths: Tensor | None, steps: int, batch: int) -> None:
    if lengths is None:
        return
    check_shape("lengths", lengths, (batch,))
    _check_integers("lengths", lengths)
    low, high = int(lengths.min()), int(lengths.max())
    if low < 0 or high > steps:
        raise ShapeError(f"lengths must be 0 to T={steps} but reach from {low} to {high}.")


def _check_integers(what: str, tensor: Tensor) -> None:
    if tensor.dtype not in (torch.int64, torch.int32):
        raise ShapeError(f"{what} must be whole numbers, int64 or int32, but are {tensor.dtype}.")
