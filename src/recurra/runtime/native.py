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
    ended: Callable[[int], bool] = lambda row: False,
) -> Iterator[Drawn]:
    """What `decoding.sequences` yields after ids (B,) were fed at `state`; drawn in chunks.

    The first chunk is one symbol and each is twice as long as the one before it, up to a limit:
    the first symbol comes at once, and little is drawn for nothing where a text soon ends.
    """
    rows, position, chunk = list(range(len(ids))), 0, 1
    while position < length and rows:
        steps = min(chunk, length - position)
        drawn = sampler.draw(
            ids,
            state,
            np.stack([generators[row].random(steps) for row in rows], axis=1),  # (steps, rows)
            temperature=filters.temperature,
            top_k=filters.top_k,
            top_p=filters.top_p,
            never=never,
        )
        alive = dict(enumerate(rows))
        for step_ids, step_nats in zip(drawn.ids.tolist(), drawn.nats.tolist(), strict=True):
            for index, row in list(alive.items()):
                yield Drawn(row, step_ids[index], step_nats[index])
                if ended(row):
                    del alive[index]
        ids, state = drawn.ids[-1, list(alive)], take(drawn.state, list(alive))
        rows, position = list(alive.values()), position + steps
        limit = PRODUCTS_AT_ONCE // (sampler.products * max(1, len(rows)))
        chunk = max(1, min(2 * chunk, LONGEST_CHUNK, limit))
