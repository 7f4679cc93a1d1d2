"""docs/cells.md lists every cell, its state and its number of parameters as they are."""

from __future__ import annotations

import math
import re
from pathlib import Path

from recurra import cells

PAGE = Path(__file__).parents[2] / "docs" / "cells.md"


def rows() -> dict[str, tuple[str, str]]:
    """The state and the formula of the parameters of each cell in the table."""
    row = r"^\| `(\w+)` \| [^|]+ \| ([^|]+) \| `([^`]+)` \|"
    text = PAGE.read_text(encoding="utf-8")
    return {name: (state, count) for name, state, count in re.findall(row, text, re.MULTILINE)}


def test_the_table_has_a_row_for_every_cell() -> None:
    assert sorted(rows()) == cells.names()


def test_the_table_has_the_state_of_every_cell() -> None:
    for name, (state, _) in rows().items():
        assert tuple(state.split(", ")) == cells.load(name).State._fields, name


def test_the_table_counts_the_parameters_of_every_cell() -> None:
    for name, (_, formula) in rows().items():
        parameters = cells.load(name).parameters(7, 5).values()
        product = re.sub(r"(?<=[\dH])(?=[H(])", "*", formula)  # 4H(I+1) is 4*H*(I+1)
        counted = eval(product, {"I": 7, "H": 5})
        assert counted == sum(math.prod(parameter.shape) for parameter in parameters), name
