"""Drawing sequences from any step: several at once, each from a generator of its own.

Symbols are ids here; text, prompts and stop strings are the runtime's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from recurra.decoding.filters import Filters, without
from recurra.decoding.state import Floats, Ids, Step, take
from recurra.rng import draw


class Drawn(NamedTuple):
    """Symbols of one sequence, drawn one after another."""

    row: int  # of which sequence
    ids: list[int]
    nats: list[float]  # −ln p(id | all before) of each, under the unfiltered model


def draw_rows(
    log_probs: Floats, filters: Filters, generators: Sequence[np.random.Generator]
) -> Ids:
    """The ids (B,) drawn from log_probs (B, V), one uniform of its own generator a row."""
    probabilities = filters.probabilities(log_probs)
    return np.array(
        [
            draw(row, generator.random())
            for row, generator in zip(probabilities, generators, strict=True)
        ],
        dtype=np.int64,
    )


def sequences(
    step: Step,
    log_probs: Floats,
    state: Any,
    *,
    length: int,
    filters: Filters,
    generators: Sequence[np.random.Generator],
    never: tuple[int, ...] = (),
    not_first: tuple[int, ...] = (),
    ended: Callable[[int], bool] = lambda row: False,
) -> Iterator[Drawn]:
    """Draws up to `length` symbols for each row, one of every row in turn, each by itself.

    `log_probs` (B, V) and `state` are those before the first symbol; `never` are ids that are not
    drawn, `not_first` those that are not the first. `ended(row)` is asked after what was drawn of
    the row was consumed: an ended row draws no more. A row's symbols depend on its own generator,
    not on which rows are beside it.
    """
    rows = list(range(len(log_probs)))
    for position in range(length):
        refused = never if position else never + not_first
        allowed = without(log_probs, refused) if refused else log_probs
        ids = draw_rows(allowed, filters, [generators[row] for row in rows])
        nats = -log_probs[np.arange(len(rows)), ids]
        alive = []
        for index, row in enumerate(rows):
            yield Drawn(row, [int(ids[index])], [float(nats[index])])
            if not ended(row):
                alive.append(index)
        if position + 1 == length or not alive:
            return
        if len(alive) < len(rows):
            rows, ids, state = [rows[index] for index in alive], ids[alive], take(state, alive)
        log_probs, state = step(ids, state)
