"""A whole network with its weights packed, which draws a chunk of symbols a call.

Arrays in, arrays out; nothing of a sequence is kept. Which filters there are and the rule to draw
are `recurra.decoding`'s and `recurra.rng`'s, whose results these are; text is the runtime's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recurra.config import require
from recurra.errors import ShapeError
from recurra.kernels._arrays import Array, doubles, floats, integers
from recurra.kernels._available import native
from recurra.kernels._kinds import kind
from recurra.shapes import check_shape

State = tuple[tuple[NDArray[np.float32], ...], ...]  # a layer's fields, each (B, H)


class Drawn(NamedTuple):
    """A chunk of symbols."""

    ids: NDArray[np.int64]  # (T, B)
    nats: NDArray[np.float64]  # (T, B), −ln p(id | all before) without filters
    state: State  # after all ids but the last, which has not been fed


class Sampler:
    """Embedding or one-hot input → recurrent layers → projection, packed for one step at a time.

    `layers` holds each layer's weights as the cell names them. The first layer's x_gates are rows
    of `table` (V, G·H); or, without one, made from rows of `embedding` (V, E) at every step.
    `projection` is (V, H) with `projection_bias` (V,). With `int8` every matrix is kept as int8
    numbers and a float32 scale a row: row / scale rounded, scale = largest of the row / 127. What
    they are multiplied with is float32; or, where the processor has AVX-512 VNNI and it is the set
    in use, 16-bit numbers of a scale of their own. Any number of threads may use one Sampler.

    Raises ConfigError for a cell without a kernel, ShapeError for a wrong shape, type or layout.
    """

    def __init__(
        self,
        cell: str,
        layers: Sequence[Mapping[str, Array]],
        projection: Array,
        projection_bias: Array,
        *,
        table: Array | None = None,
        embedding: Array | None = None,
        int8: bool = False,
    ) -> None:
        self._kind = kind(cell)
        symbols, hidden = (int(size) for size in projection.shape)
        self._sizes = symbols, hidden, len(layers)
        if not all(self._sizes):
            raise ShapeError(
                "a Sampler needs 1 or more symbols, units and layers, but there are "
                f"{symbols}, {hidden} and {len(layers)}."
            )
        if (table is None) == (embedding is None):
            raise ShapeError("a Sampler needs a table or an embedding, and not both.")
        width = 0 if embedding is None else int(embedding.shape[-1])
        rows = self._kind.gates * hidden
        inner = (
            2 * len(layers) - 1
        )  # matrices of H columns: W_hh in each layer, W_ih above the first
        self.products = rows * (hidden * inner + width) + symbols * hidden  # for each symbol
        self._kept = table, embedding  # read at every step, where they are
        self._native = native.sampler(
            self._kind.code,
            [symbols, width, hidden],
            0 if table is None else floats("table", table, (symbols, rows)),
            0 if embedding is None else floats("embedding", embedding, (symbols, width)),
            [
                self._layer(depth, one, hidden if depth else width)
                for depth, one in enumerate(layers)
            ],
            floats("projection", projection, (symbols, hidden)),
            floats("projection_bias", projection_bias, (symbols,)),
            int8,
        )

    def draw(
        self,
        ids: NDArray[np.integer[Any]],
        state: Sequence[Sequence[Array]],
        uniforms: NDArray[np.float64],
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        never: Sequence[int] = (),
    ) -> Drawn:
        """T symbols for each of B sequences, by `uniforms` (T, B) in [0, 1), one a symbol.

        `ids` (B,) are fed first; `state` is that before them. Filters as in `decoding.Filters`,
        `never` are ids not drawn. Drawing with the first t uniforms again gives the first t ids
        and the state that belongs to them, to the bit; so does each sequence alone.

        Raises ShapeError for a wrong shape, type or layout, IndexError for an id out of range,
        ConfigError for a filter that cannot be.
        """
        require(0 <= temperature < np.inf, "temperature", temperature, "must be 0 or more")
        require(top_k is None or top_k >= 1, "top_k", top_k, "must be 1 or more")
        require(top_p is None or 0 < top_p <= 1, "top_p", top_p, "must be in (0, 1]")
        check_shape("uniforms", uniforms, ("T", "B"))
        steps, batch = uniforms.shape
        check_shape("ids", ids, (batch,))
        excluded = np.array(sorted(set(never)), np.int64)
        if excluded.size and not 0 <= excluded[0] <= excluded[-1] < self._sizes[0]:
            raise IndexError(
                f"never: {excluded.tolist()} reach outside the {self._sizes[0]} symbols"
            )
        filters = (
            integers("never", excluded, excluded.shape),
            excluded.size,
            temperature,
            min(top_k or 0, self._sizes[0]),
            top_p or 0.0,
        )
        chunk = np.zeros((steps + 1, batch), np.int64)
        chunk[0] = ids
        address = doubles("uniforms", uniforms, (steps, batch))
        nats = np.empty((steps, batch))
        after = self._run(chunk, state, address, nats, filters)
        return Drawn(chunk[1:], nats, after)

    def nats(
        self, ids: NDArray[np.integer[Any]], state: Sequence[Sequence[Array]]
    ) -> tuple[NDArray[np.float64], State]:
        """(−ln p of ids[1:] (T, B), state before the last ids) of given `ids` (T + 1, B).

        Raises as `draw`.
        """
        check_shape("ids", ids, ("T + 1", "B"))
        nats = np.empty((len(ids) - 1, ids.shape[1]))
        return nats, self._run(np.array(ids, np.int64), state, 0, nats, (0, 0, 1.0, 0, 0.0))

    def _run(
        self,
        ids: NDArray[np.integer[Any]],
        state: Sequence[Sequence[Array]],
        uniforms: int,
        nats: NDArray[np.float64],
        filters: tuple[Any, ...],
    ) -> State:
        _, hidden, depth = self._sizes
        steps, batch = nats.shape
        shape = (depth, self._kind.fields, batch, hidden)
        found = [len(layer) for layer in state]
        if found != [shape[1]] * depth:
            raise ShapeError(f"state must be {depth} layers of {shape[1]} fields but has {found}.")
        packed = np.empty(shape, np.float32)
        for index, layer in enumerate(state):
            for field, array in enumerate(layer):
                check_shape(f"state[{index}][{field}]", array, (batch, hidden))
                packed[index, field] = array
        self._native.run(
            steps,
            batch,
            integers("ids", ids, ids.shape),
            floats("state", packed, shape),
            uniforms,
            doubles("nats", nats, nats.shape),
            *filters,
        )
        return tuple(tuple(layer) for layer in packed)

    def _layer(self, depth: int, weights: Mapping[str, Array], width: int) -> list[int]:
        """The addresses of native/sampler.hpp's LayerWeights; 0 for what is not needed."""
        it, hidden = self._kind, self._sizes[1]

        def address(name: str, *shape: int) -> int:
            return floats(f"layers[{depth}] {name}", weights[name], shape)

        rows = it.gates * hidden
        from_input = bool(depth) or self._kept[0] is None
        return [
            address("weight_ih", rows, width) if from_input else 0,
            address("bias", rows) if from_input else 0,
            address("weight_hh", it.recurrent_gates * hidden, hidden),
            address("weight_hn", hidden, hidden) if it.other == "weight_hn" else 0,
            address("bias_hn", hidden) if it.other == "bias_hn" else 0,
        ]
