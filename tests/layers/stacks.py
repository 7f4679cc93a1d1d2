"""A small stack in float64, and its sizes."""

from __future__ import annotations

from typing import Any

from recurra.cells import Cell
from recurra.cells.lstm import LSTMCell
from recurra.layers.stack import Stack

T, B, IN, H = 5, 3, 4, 6


def stack(cell: Cell[Any] | None = None, **settings: Any) -> Stack:
    return Stack(cell or LSTMCell(), IN, H, **settings).double()
