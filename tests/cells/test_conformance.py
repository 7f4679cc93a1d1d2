"""Every cell of Recurra obeys every law, at every size. The laws are `recurra.testing`'s."""

from __future__ import annotations

from typing import Any

import pytest

from recurra import cells
from recurra.cells import Cell
from recurra.testing import LAWS, SIZES, Sizes


@pytest.mark.parametrize("sizes", SIZES, ids=lambda sizes: "x".join(map(str, sizes)))
@pytest.mark.parametrize("name", cells.names())
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_the_cell_obeys(law: Any, name: str, sizes: Sizes) -> None:
    cell: Cell[Any] = cells.load(name)
    law(cell, sizes)
