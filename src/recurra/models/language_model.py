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
from recurra.layers.dropout import Dropout
from recurra.layers.losses import mean_nats
from recurra.layers.stack import Stack, StackState, detached
from recurra.models.whole import Made, WholeLoss
from recurra.runtime.settings import NetworkSettings


class LanguageModel(nn.Module):
    """Next-symbol logits (T, B, V) from symbols (T, B) and the state before them.

    `settings` must be resolved (`recurra.runtime.resolve`). The embedding starts at N(0, 1), so
    that x_gates start with a standard deviation of 1/√3; one-hot input has one term a gate instead
    of E, so W_ih starts at U(−1, 1) there, which gives the same. (At the usual scales of a weight
    the first epochs are lost: after two on tinyshakespeare 1.94 nats against 1.65.) A tied
    embedding starts at N(0, 1/E) instead, or its logits would begin √E wide. The projection starts
    as a cell's weights do, its bias at 0. Dropout stands on an embedding, between layers and before
    the projection.
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
            scale = embedding_size**-0.5 if settings.tied else 1.0
            drawn = scale * rng.standard_normal((vocab_size, embedding_size))
            self.embedding["weight"] = _parameter(drawn)
        self.recurrent = Stack(
            cells.load(settings.cell),
            embedding_size or vocab_size,
            hidden_size,
            num_layers=settings.num_layers,
            dropout=settings.dropout,
            locked_dropout=settings.locked_dropout,
            weight_dropout=settings.weight_dropout,
            learned_state=settings.learned_state,
            rng=rng,
        )
        if not embedding_size:
            with torch.no_grad():
                self.recurrent.layers(0)[0].weight_ih *= vocab_size**0.5
        self.dropout = Dropout(settings.dropout, locked=settings.locked_dropout)
        self.projection = nn.ParameterDict()
        if not settings.tied:
            self.projection["weight"] = _parameter(cells.uniform(rng, (vocab_size, hidden_size)))
        self.projection["bias"] = nn.Parameter(torch.zeros(vocab_size))
        self._whole = WholeLoss(self, self.recurrent, settings)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        where: torch.device = self.projection["bias"].device
        return where

    def forward(
        self,
        ids: Tensor,
        state: StackState | None = None,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, StackState]:
        """(logits (T, B, V), state after) for ids (T, B); dropout needs its generator."""
        outputs, state = self._outputs(ids, state, generator)
        return nn.functional.linear(outputs, *self._projection()), state

    def mean_nats(
        self,
        ids: Tensor,
        targets: Tensor,
        mask: Tensor | None = None,
        state: StackState | None = None,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, StackState]:
        """(the mean of −ln p(target), state after) for ids and targets (T, B), without the logits.

        With a mask (T, B) of the tokens where that is True; see `layers.losses.mean_nats`.
        """
        outputs, state = self._outputs(ids, state, generator)
        return mean_nats(outputs, *self._projection(), targets, mask), state

    def training_nats(
        self,
        ids: Tensor,
        targets: Tensor,
        mask: Tensor | None = None,
        state: StackState | None = None,
        generator: torch.Generator | None = None,
    ) -> Made:
        """`mean_nats`, with its gradients where they come at once: `whole.py` says where."""
        made = self._whole(ids, targets, mask, state)
        if made is not None:
            return made
        nats, after = self.mean_nats(ids, targets, mask, state, generator)
        return Made(nats, detached(after))

    def _outputs(
        self, ids: Tensor, state: StackState | None, generator: torch.Generator | None
    ) -> tuple[Tensor, StackState]:
        """What the projection reads (T, B, H), and the state after."""
        embedding = self.embedding.get("weight")
        if embedding is not None and self.training and self.settings.dropout:
            # not embedding[ids]: threads add its gradient up in the order in which they come
            embedded = nn.functional.embedding(ids, embedding)  # (T, B, E)
            embedded = self.dropout(embedded, generator)
            outputs, state = self.recurrent(embedded, state, generator=generator)
        else:
            outputs, state = self.recurrent.forward_ids(ids, embedding, state, generator=generator)
        return self.dropout(outputs, generator), state

    def _projection(self) -> tuple[Tensor, Tensor]:
        """Weight (V, H) and bias (V,)."""
        tied = self.settings.tied
        return (self.embedding if tied else self.projection)["weight"], self.projection["bias"]


def arrays(module: nn.Module) -> dict[str, NDArray[Any]]:
    """The weights by name as NumPy arrays on the CPU; on the CPU they share memory."""
    return {name: value.detach().cpu().numpy() for name, value in module.state_dict().items()}


def _parameter(values: NDArray[np.float64]) -> nn.Parameter:
    return nn.Parameter(torch.from_numpy(values.astype(np.float32)))
