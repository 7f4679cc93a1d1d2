"""A tiny model to decode: what comes depends on the last two symbols."""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from recurra.decoding.filters import normalised
from recurra.decoding.state import Floats, Ids


class Seen(NamedTuple):
    """The last symbol of each row, (B,)."""

    last: NDArray[np.int64]


class Trigram:
    """log p(next | the last two) as a table (V, V, V); counts how many rows it was asked for."""

    def __init__(self, vocab_size: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.vocab_size = vocab_size
        self.table = normalised(rng.standard_normal((vocab_size,) * 3) * 1.5)
        self.rows: list[int] = []

    def start(self, first: list[int]) -> tuple[Floats, Seen]:
        """As if symbol 0 and then `first` had been read."""
        last = np.array(first)
        return self.table[0, last], Seen(last)

    def __call__(self, ids: Ids, state: Seen) -> tuple[Floats, Seen]:
        self.rows.append(len(ids))
        return self.table[state.last, ids], Seen(np.asarray(ids))

    def nats(self, first: int, ids: tuple[int, ...]) -> float:
        """−ln p(ids | 0, first), a symbol after the other."""
        symbols = (0, first, *ids)
        return -float(
            sum(
                self.table[a, b, c]
                for a, b, c in zip(symbols, symbols[1:], symbols[2:], strict=False)
            )
        )

    def all_sequences(
        self, first: int, length: int, stop_id: int | None
    ) -> list[tuple[float, tuple[int, ...]]]:
        """Every sequence that ends with the stop id or at the length, the likeliest first."""
        found = set()
        for ids in product(range(self.vocab_size), repeat=length):
            cut = ids.index(stop_id) + 1 if stop_id in ids else length
            found.add(ids[:cut])
        return sorted((self.nats(first, ids), ids) for ids in found)


@pytest.fixture(params=[0, 1, 2])
def trigram(request: pytest.FixtureRequest) -> Trigram:
    return Trigram(4, request.param)
