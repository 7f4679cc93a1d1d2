"""Recurrent cells, a file each; the file's name is the cell's name in configs."""

from __future__ import annotations

from recurra import registry
from recurra.cells._cell import (
    Cell,
    Initial,
    Parameter,
    Weights,
    constant,
    gate_bias,
    orthogonal,
    uniform,
)

__all__ = [
    "Cell",
    "Initial",
    "Parameter",
    "Weights",
    "constant",
    "gate_bias",
    "load",
    "names",
    "orthogonal",
    "uniform",
]


def names() -> list[str]:
    """The names of the cells."""
    return registry.names("cells")


def load(name: str) -> Cell[tuple[object, ...]]:
    """The cell of that name; ConfigError listing the cells if there is none."""
    module = registry.load("cells", name)
    (kind,) = (
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Cell)
        and value.__module__ == module.__name__
    )
    return kind()
