"""Which weights a language model's settings ask for: names and shapes, computed without allocating.

What is done with them is in `language_model`.
"""

from __future__ import annotations

import dataclasses

from recurra import cells
from recurra.runtime.settings import NetworkSettings


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
