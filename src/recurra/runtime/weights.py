"""Which weights a language model's settings ask for: names and shapes; whether some are those.

What is done with them is in `language_model`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra import cells
from recurra.errors import ConfigError, RunError
from recurra.runtime.settings import NetworkSettings
from recurra.shapes import check_shape


def resolve(settings: NetworkSettings) -> NetworkSettings:
    """The settings with `embedding_size` decided: none becomes hidden_size."""
    if settings.embedding_size is not None:
        return settings
    return dataclasses.replace(settings, embedding_size=settings.hidden_size)


def expected_shapes(settings: NetworkSettings, vocab_size: int) -> dict[str, tuple[int, ...]]:
    """The shape of every weight by name, V = vocab_size; ConfigError where the cell is unknown.

    embedding.weight (V, E) unless one-hot; recurrent.l0.weight_ih and so on, as the cell names
    them, and recurrent.l0.initial_hidden (H,) and so on for a learned state; projection.weight
    (V, H) unless tied; projection.bias (V,).
    """
    settings = resolve(settings)
    cell, hidden_size = cells.load(settings.cell), settings.hidden_size
    shapes: dict[str, tuple[int, ...]] = {}
    if settings.embedding_size:
        shapes["embedding.weight"] = (vocab_size, settings.embedding_size)
    for depth in range(settings.num_layers):
        input_size = hidden_size if depth else settings.embedding_size or vocab_size
        for name, parameter in cell.parameters(input_size, hidden_size).items():
            shapes[f"recurrent.l{depth}.{name}"] = parameter.shape
        if settings.learned_state:
            for name in cell.State._fields:
                shapes[f"recurrent.l{depth}.initial_{name}"] = (hidden_size,)
    if not settings.tied:
        shapes["projection.weight"] = (vocab_size, hidden_size)
    shapes["projection.bias"] = (vocab_size,)
    return shapes


def check_weights(
    weights: Mapping[str, NDArray[Any]], shapes: Mapping[str, tuple[int, ...]]
) -> None:
    """ConfigError unless the weights have the names of `shapes`, ShapeError for another shape."""
    if set(weights) != set(shapes):
        missing, extra = sorted(set(shapes) - set(weights)), sorted(set(weights) - set(shapes))
        raise ConfigError(
            "the weights do not fit the settings: "
            f"missing {', '.join(missing) or 'none'}; not asked for {', '.join(extra) or 'none'}."
        )
    for name, shape in shapes.items():
        check_shape(name, weights[name], shape)


def check_finite(weights: Mapping[str, NDArray[Any]], path: Path) -> None:
    """RunError, naming the file they are from, where a weight is not a finite float32."""
    for name, value in weights.items():
        with np.errstate(over="ignore"):
            finite = np.isfinite(np.asarray(value, dtype=np.float32)).all()
        if not finite:
            raise RunError(
                f"{path} is damaged: {name} contains values that are not finite. Copy the run "
                "again, or train it anew."
            )
