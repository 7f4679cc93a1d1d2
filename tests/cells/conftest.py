"""What the tests of cells share: random float64 arrays, the same in every run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from recurra.cells import Cell, Weights


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture
def random_weights(rng: np.random.Generator) -> Callable[[Cell[Any], int, int], Weights]:
    """Every weight of a cell from N(0, 1), so that none is at its start."""

    def make(cell: Cell[Any], input_size: int, hidden_size: int) -> Weights:
        shapes = cell.parameters(input_size, hidden_size)
        return Weights({name: rng.normal(size=shape) for name, (shape, _) in shapes.items()})

    return make
