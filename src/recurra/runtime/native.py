"""Where the runtime takes the native kernels: a layer over a sequence, and chunks of drawn symbols.

It takes them by itself for a cell that has one; without them `decoding` and the cells' own steps do
the same in NumPy. The kernels are `recurra.kernels`'.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra import kernels
from recurra.decoding import Drawn, Filters, take

LONGEST_CHUNK = 64  # symbols: what is drawn after a stop string is thrown away
LONGEST_WHOLE = 1024  # symbols, where none are: what a call itself costs is nothing beside them
PRODUCTS_AT_ONCE = 2**28  # in one call, some 50 ms: text appears steadily, and Ctrl-C is heard
MOST_THREADS = 2  # over the sequences of a batch


def usable(cell: str) -> bool:
    """Whether the kernels are there and have that cell."""
    return cell in kernels.names() and kernels.why_missing() is None


def layer(
    cell: str,
    x_gates: NDArray[np.float32],
    weights: Mapping[str, NDArray[np.float32]],
    state: Sequence[NDArray[np.float32]],
) -> tuple[NDArray[np.float32], list[NDArray[np.float32]]]:
    """(outputs (T, B, H), fields of the state after) of a layer from its x_gates (T, B, G·H)."""
    steps, batch = x_gates.shape[:2]
    outputs = np.empty((steps, batch, state[0].shape[-1]), np.float32)
    after = [np.empty(one.shape, np.float32) for one in state]
    kernels.forward(
        cell,
        np.ascontiguousarray(x_gates),
        {name: array for name, array in weights.items() if name != "bias"},  # x_gates has it
        [np.ascontiguousarray(one, np.float32) for one in state],
        outputs,
        after,
        threads=min(batch, MOST_THREADS, os.cpu_count() or 1),
    )
    return outputs, after


def sequences(
    sampler: kernels.Sampler,
    ids: NDArray[np.integer[Any]],
    state: Any,
    *,
    length: int,
    filters: Filters,
    generators: Sequence[np.random.Generator],
    never: tuple[int, ...] = (),
    not_first: tuple[int, ...] = (),
    ended: Callable[[int], bool] = lambda row: False,
    whole: bool = False,
) -> Iterator[Drawn]:
    """What `decoding.sequences` draws after ids (B,) were fed at `state`, a chunk of a row at once.

    The first chunk is one symbol and each is twice as long as the one before it, up to a limit:
    the first symbol comes at once, and little is drawn for nothing where a text soon ends. With
    `whole` nobody waits for the first and no text ends: chunks are long from the beginning. With
    `not_first` the first is one symbol in any case. Symbols drawn after the one at which a row
    ended are for whoever consumes them to leave out.
    """
    rows, position = list(range(len(ids))), 0
    chunk, longest = (LONGEST_WHOLE, LONGEST_WHOLE) if whole else (1, LONGEST_CHUNK)
    refused = never + not_first
    if not_first:
        chunk = 1
    while position < length and rows:
        limit = PRODUCTS_AT_ONCE // (sampler.products * len(rows))
        steps = max(1, min(chunk, limit, length - position))
        drawn = sampler.draw(
            ids,
            state,
            np.stack([generators[row].random(steps) for row in rows], axis=1),  # (steps, rows)
            temperature=filters.temperature,
            top_k=filters.top_k,
            top_p=filters.top_p,
            never=refused,
        )
        refused = never
        alive = []
        for index, row in enumerate(rows):
            yield Drawn(row, drawn.ids[:, index].tolist(), drawn.nats[:, index].tolist())
            if not ended(row):
                alive.append(index)
        ids, state = drawn.ids[-1], drawn.state
        if len(alive) < len(rows):
            rows, ids, state = [rows[index] for index in alive], ids[alive], take(state, alive)
        position, chunk = position + steps, min(2 * steps, longest)
