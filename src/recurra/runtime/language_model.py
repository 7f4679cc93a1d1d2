"""A trained language model without torch: a run folder opened, and its steps in float32.

State goes in and comes out as a value; nothing of a sequence is kept here. Text is scored in
`scoring` and drawn in `sampling`; what the weights are called is in `weights`, and when the native
kernels are taken in `native`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra import cells, config, kernels, store
from recurra.cells import Weights
from recurra.decoding.filters import normalised
from recurra.decoding.state import Floats
from recurra.errors import ConfigError, DataError, RunError, ShapeError
from recurra.runtime import native
from recurra.runtime.given import encode
from recurra.runtime.int8 import round_layers, rounded
from recurra.runtime.settings import NetworkSettings
from recurra.runtime.weights import check_finite, check_weights, expected_shapes, resolve
from recurra.shapes import check_shape
from recurra.text.tokenizers import Tokenizer, read

TOKENIZER = "tokenizer.json"  # in the run folder
KIND = "language_model"  # what the record of such a run calls it
CONTEXT = "context"  # the run record's fact that holds it
STOP = "stop"  # the fact that holds the symbol at which a sequence ends, where sequences end

State = tuple[Any, ...]  # one named tuple of (B, H) arrays a layer
Ids = NDArray[np.integer[Any]]

GATES_AT_ONCE = 2**20  # numbers of x_gates held at a time: 4 MB
LOGITS_AT_ONCE = 2**20  # numbers of logits held at a time: 8 MB in float64
LARGEST_TABLE = 2**24  # numbers of an embedding's x_gates table built at load: 64 MB


class LanguageModel:
    """Next-symbol log-probabilities from symbols and the state before them.

    `weights` must be exactly those of `expected_shapes(settings, tokenizer.vocab_size)`; `context`
    is what a text without a predecessor starts after. With `stop`, one symbol, the model is one of
    sequences that end with it, each from the initial state: see `runtime.start`. With `int8` every
    matrix that a step multiplies is rounded, see `runtime.int8`. Raises ConfigError for a context
    without a symbol, DataError for one with an unknown symbol, ShapeError for a weight of another
    shape.
    """

    def __init__(
        self,
        settings: NetworkSettings,
        tokenizer: Tokenizer,
        weights: Mapping[str, NDArray[Any]],
        context: str = "\n",
        *,
        stop: str | None = None,
        int8: bool = False,
    ) -> None:
        self.vocab_size = tokenizer.vocab_size
        self.settings = resolve(settings)
        self.tokenizer = tokenizer
        self.context, self.context_ids = context, encode(tokenizer, context, "the context")
        config.require(self.context_ids.size > 0, "context", context, "must hold a symbol")
        self.stop = stop
        ends = encode(tokenizer, stop or "", "the stop symbol")
        config.require(stop is None or ends.size == 1, "stop", stop, "must be one symbol")
        self.stop_id = int(ends[0]) if stop else None
        self.cell = cells.load(settings.cell)
        check_weights(weights, expected_shapes(self.settings, self.vocab_size))
        arrays = {name: np.ascontiguousarray(value, np.float32) for name, value in weights.items()}
        embedding = arrays.get("embedding.weight")
        self._native = native.usable(settings.cell)
        self._layers = [_layer(arrays, depth, self._native) for depth in range(settings.num_layers)]
        self._initial = [_initial(arrays, depth, self.cell) for depth in range(settings.num_layers)]
        projection = embedding if settings.tied else arrays["projection.weight"]
        assert projection is not None
        self._projection, self._projection_bias = projection, arrays["projection.bias"]
        self._embedding, self._table = embedding, self._build_table(embedding)
        self._int8 = int8
        if int8:
            self._projection = rounded(projection)
            round_layers(self._layers, first_is_table=self._table is not None)

    @classmethod
    def open(cls, folder: str | Path, *, int8: bool = False) -> LanguageModel:
        """The model of a run folder; RunError where the run is of another kind or damaged."""
        folder = Path(folder)
        record = store.read_record(folder)
        where = f"{folder / store.CONFIG}: config.model"
        context, stop = record.facts.get(CONTEXT), record.facts.get(STOP)
        if record.kind != KIND:
            raise RunError(
                f"{folder} is a run of {record.task!r}, which neither writes nor scores text: ask "
                f"it with recurra predict {folder} or recurra evaluate {folder}."
            )
        if "model" not in record.config or not (
            isinstance(context, str) and isinstance(stop, str | None)
        ):
            raise RunError(
                f"{folder / store.CONFIG} is damaged: a language model has config.model and "
                f"facts.{CONTEXT}, a text; facts.{STOP}, where there is one, is a text, too."
            )
        tokenizer = read(folder / TOKENIZER)
        try:
            settings = config.from_json(NetworkSettings, record.config["model"], where)
            shapes = expected_shapes(settings, tokenizer.vocab_size)
            weights = store.read_tensors(folder / store.MODEL, shapes)
            check_finite(weights, folder / store.MODEL)
            return cls(settings, tokenizer, weights, context, stop=stop, int8=int8)
        except (ConfigError, DataError) as error:
            raise RunError(f"{folder} cannot be opened: {error}") from error

    @cached_property
    def sampler(self) -> kernels.Sampler | None:
        """The network packed to draw from, when first asked for; None where there is no kernel."""
        if not self._native:
            return None
        return kernels.Sampler(
            self.settings.cell,
            self._layers,
            self._projection,
            self._projection_bias,
            table=self._table,
            embedding=self._embedding if self._table is None else None,
            int8=self._int8,
        )

    def __getstate__(self) -> dict[str, Any]:
        """Without the packed network, which a copy packs anew."""
        return {name: value for name, value in self.__dict__.items() if name != "sampler"}

    def initial_state(self, batch: int) -> State:
        """The state before the first symbol of `batch` sequences: learned, or zeros."""
        size = self.settings.hidden_size
        return tuple(
            self.cell.State(*(np.repeat(row[None], batch, axis=0) for row in learned))
            if learned
            else self.cell.initial_state(batch, size, self._projection)
            for learned in self._initial
        )

    def step(self, ids: Ids, state: State) -> tuple[Floats, State]:
        """(log-probabilities (B, V) of the next symbol, state) after feeding ids (B,)."""
        return self.read(np.asarray(ids)[None], state)

    def read(self, ids: Ids, state: State) -> tuple[Floats, State]:
        """(log-probabilities (B, V) of the symbol after the last, state) after ids (T, B), T ≥ 1.

        Raises ShapeError where the state is of another batch, DataError for an id outside V.
        """
        for _, outputs, after in self._run(ids, state):  # noqa: B007 the last is used below
            pass
        return normalised(self._logits(outputs[-1]).astype(np.float64)), after

    def nats(self, ids: Ids, targets: Ids, state: State) -> tuple[Floats, State]:
        """(−ln p(target | all before) for each place, state after the last symbol).

        ids and targets (T,) or (T, B), the first result of their shape; a state of one sequence
        for (T,). Logits are float32, the softmax is float64. Raises as `read`.
        """
        ids, targets = np.asarray(ids), np.asarray(targets)
        check_shape("targets", targets, ids.shape)
        self._check_ids(targets)
        grid = ids[:, None] if ids.ndim == 1 else ids  # (T, B)
        wanted = targets.reshape(grid.shape)
        nats = np.empty(grid.shape)
        for part, outputs, after in self._run(grid, state):  # noqa: B007 the last is used below
            nats[part] = self._target_nats(outputs, wanted[part])
        return nats.reshape(ids.shape), after

    def _run(self, ids: Ids, state: State) -> Iterator[tuple[slice, NDArray[np.float32], State]]:
        """Stretch by stretch of ids (T, B): which steps, their outputs (t, B, H), state after."""
        ids = np.asarray(ids)
        check_shape("ids", ids, ("T", "B"))
        self._check_ids(ids)
        steps, batch = ids.shape
        fields, found = self.cell.State._fields, [len(layer) for layer in state]
        if found != [len(fields)] * len(self._layers):
            raise ShapeError(
                f"state must be {len(self._layers)} layers of {len(fields)} fields but has {found}."
            )
        for index, layer in enumerate(state):
            for field, array in zip(fields, layer, strict=True):
                check_shape(f"state[{index}].{field}", array, (batch, self.settings.hidden_size))
        stretch = max(1, GATES_AT_ONCE // (batch * self._layers[0].weight_ih.shape[0]))
        for start in range(0, steps, stretch):
            part = slice(start, min(start + stretch, steps))
            outputs, state = self._steps(self._x_gates(ids[part]), state)
            yield part, outputs, state

    def _steps(
        self, x_gates: NDArray[np.float32], state: State
    ) -> tuple[NDArray[np.float32], State]:
        """(outputs (t, B, H) of the last layer, state after) from the first layer's x_gates."""
        steps, batch = x_gates.shape[:2]
        after = []
        outputs = np.empty((steps, batch, self.settings.hidden_size), np.float32)
        name = self.settings.cell
        # A layer at a time: its weights stay in the cache, and one GEMM gives the next its gates.
        for depth, (weights, current) in enumerate(zip(self._layers, state, strict=True)):
            if depth:
                x_gates = self.cell.project(outputs, weights)  # (t, B, G·H)
            if self._native:
                outputs, fields = native.layer(name, x_gates, weights, current)
                current = self.cell.State(*fields)
            else:
                for t in range(steps):
                    outputs[t], current = self.cell.step(x_gates[t], current, weights)
            after.append(current)
        return outputs, tuple(after)

    def _x_gates(self, ids: Ids) -> NDArray[np.float32]:
        """The first layer's x_gates (t, B, G·H) for ids (t, B)."""
        if self._table is not None:
            return self._table[ids]
        assert self._embedding is not None
        gates: NDArray[np.float32] = self.cell.project(self._embedding[ids], self._layers[0])
        return gates

    def _build_table(self, embedding: NDArray[np.float32] | None) -> NDArray[np.float32] | None:
        """Every symbol's x_gates (V, G·H), or None where they would be far more than weights."""
        first = self._layers[0]
        if embedding is None:
            rows = np.ascontiguousarray(first.weight_ih.T)  # the products of one-hot inputs
            return self.cell.condition(rows, first)  # type: ignore[no-any-return]
        if self.vocab_size * first.weight_ih.shape[0] > LARGEST_TABLE:
            return None
        return self.cell.project(embedding, first)  # type: ignore[no-any-return]

    def _logits(self, outputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """(…, V) from outputs (…, H)."""
        logits: NDArray[np.float32] = outputs @ self._projection.T
        logits += self._projection_bias
        return logits

    def _target_nats(self, outputs: NDArray[np.float32], targets: Ids) -> Floats:
        """−ln p of targets (t, B) from outputs (t, B, H); never all of (t·B, V) at once."""
        rows, wanted = outputs.reshape(-1, outputs.shape[-1]), targets.reshape(-1)
        nats = np.empty(len(rows))
        stretch = max(1, LOGITS_AT_ONCE // self.vocab_size)
        for start in range(0, len(rows), stretch):
            part = slice(start, start + stretch)
            logits = self._logits(rows[part])
            highest = logits.max(axis=1, keepdims=True)
            shifted = np.subtract(logits, highest, dtype=np.float64)
            of_target = shifted[np.arange(len(shifted)), wanted[part]]
            nats[part] = np.log(np.exp(shifted, out=shifted).sum(axis=1)) - of_target
        return nats.reshape(targets.shape)

    def _check_ids(self, ids: Ids) -> None:
        if ids.size == 0:
            raise DataError("there is no symbol to read: give at least one.")
        low, high = int(ids.min()), int(ids.max())
        if low < 0 or high >= self.vocab_size:
            raise DataError(
                f"symbol {low if low < 0 else high} is not in the model's vocabulary of "
                f"{self.vocab_size}: were these tokens made with another tokenizer?"
            )


def _layer(arrays: Mapping[str, NDArray[np.float32]], depth: int, in_order: bool) -> Weights:
    """One layer's weights by the cell's names; `in_order` as kernels read them, rows together."""
    prefix = f"recurrent.l{depth}."
    own = {name.removeprefix(prefix): a for name, a in arrays.items() if name.startswith(prefix)}
    return Weights(
        {
            # W.T is what NumPy's step multiplies by: contiguous, it is read in order.
            name: a if in_order or a.ndim < 2 or name == "weight_ih" else np.asfortranarray(a)
            for name, a in own.items()
        }
    )


def _initial(
    arrays: Mapping[str, NDArray[np.float32]], depth: int, cell: cells.Cell[Any]
) -> list[NDArray[np.float32]]:
    """One layer's learned initial state, a row (H,) a field; empty where it is zero."""
    names = [f"recurrent.l{depth}.initial_{name}" for name in cell.State._fields]
    return [arrays[name] for name in names if name in arrays]


def default_context(tokenizer: Tokenizer, counts: NDArray[np.integer[Any]]) -> str:
    """What a text starts after where nothing is said: a newline, else the most frequent symbol.

    `counts` (V,) is how often each symbol stands in the run's text. A run records the answer.
    """
    if tokenizer.newline_id is not None:
        return "\n"
    known = np.array(counts)
    if tokenizer.unknown_id is not None:
        known[tokenizer.unknown_id] = -1
    return tokenizer.decode([int(known.argmax())])
