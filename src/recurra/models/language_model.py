"""A language model on torch: embedding or one-hot, recurrent stack, projection onto the vocabulary.

Trains only. A trained one is scored and sampled by `recurra.runtime`, on the same weights.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from recurra import cells
from recurra.layers.dropout import dropout
from recurra.layers.stack import Stack, StackState
from recurra.runtime.settings import NetworkSettings


class LanguageModel(nn.Module):
    """Next-symbol logits (T, B, V) from symbols (T, B) and the state before them.

    `settings` must be resolved (`recurra.runtime.resolve`). The embedding starts at U(−1/√E, 1/√E),
    so that its rows have the scale of a cell's inputs; the projection as a cell's weights do, its
    bias at 0.
    """

    def __init__(
        self, settings: NetworkSettings, vocab_size: int, rng: np.random.Generator
    ) -> None:
        super().__init__()
        assert settings.embedding_size is not None, "resolve the settings first"
        self.settings = settings
        embedding_size, hidden_size = settings.embedding_size, settings.hidden_size
        self.embedding = nn.ParameterDict()
        if embedding_size:
            weight = cells.uniform(rng, (vocab_size, embedding_size))
            self.embedding["weight"] = _parameter(weight)
        self.recurrent = Stack(
            cells.load(settings.cell),
            embedding_size or vocab_size,
            hidden_size,
            num_layers=settings.num_layers,
            dropout=settings.dropout,
            locked_dropout=settings.locked_dropout,
            learned_state=settings.learned_state,
            rng=rng,
        )
        self.projection = nn.ParameterDict()
        if not settings.tied:
            self.projection["weight"] = _parameter(cells.uniform(rng, (vocab_size, hidden_size)))
        self.projection["bias"] = nn.Parameter(torch.zeros(vocab_size))

    def forward(
        self,
        ids: Tensor,
        state: StackState | None = None,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, StackState]:
        """(logits (T, B, V), state after) for ids (T, B); dropout needs its generator."""
        rate, locked = self.settings.dropout if self.training else 0.0, self.settings.locked_dropout
        embedding = self.embedding["weight"] if "weight" in self.embedding else None
        if embedding is not None and rate:
            embedded = dropout(embedding[ids], rate, generator, locked=locked)  # (T, B, E)
            outputs, state = self.recurrent(embedded, state, generator=generator)
        else:
            outputs, state = self.recurrent.forward_ids(ids, embedding, state, generator=generator)
        outputs = dropout(outputs, rate, generator, locked=locked)  # (T, B, H)
        weight = self.projection["weight"] if "weight" in self.projection else embedding
        assert weight is not None
        return outputs @ weight.T + self.projection["bias"], state


def arrays(module: nn.Module) -> dict[str, NDArray[Any]]:
    """The weights by name as NumPy arrays on the CPU; on the CPU they share memory."""
    return {name: value.detach().cpu().numpy() for name, value in module.state_dict().items()}


def _parameter(values: NDArray[np.float64]) -> nn.Parameter:
    return nn.Parameter(torch.from_numpy(values.astype(np.float32)))
