"""A sequence to one vector of logits: embedding or vectors, recurrent stack, pooling, projection.

What a logit stands for, and how a text becomes symbols, is the caller's.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from recurra import cells
from recurra.config import option, require, require_one_of
from recurra.layers import pooling
from recurra.layers.dropout import Dropout
from recurra.layers.pooling import Pooling
from recurra.layers.stack import Stack

FEW = 256  # symbols: the letters of most alphabets, not the words of a language


@dataclass(frozen=True, kw_only=True)
class EncoderSettings:
    """Embedding (of symbols) or vectors → recurrent stack → pooling → projection."""

    cell: str = option(
        "lstm",
        "a file name in cells/: see `recurra list cells`",
        why="greff2015: no variant is clearly better",
    )
    hidden_size: int = option(128, "units a layer and direction", why="the lectures' MNIST by rows")
    num_layers: int = option(1, "recurrent layers", why="a guess")
    bidirectional: bool = option(
        True, "read from both ends", why="the whole sequence is there before the answer"
    )
    pooling: str = option(
        "max",
        f"outputs to one vector: one of {', '.join(pooling.KINDS)}",
        why="TREC: 0.81, attention 0.77",
    )
    embedding_size: int | None = option(
        None,
        "units of the symbol embedding; none: as hidden_size, or as the pretrained vectors",
        why="a table makes its size free",
    )
    dropout: float = option(
        0.3,
        "probability in [0, 1) on the embedding, between layers and before the projection",
        why="TREC, 3 epochs: 0.84 held out right, 0.81 with 0.5",
    )
    token_dropout: float = option(
        0.0,
        "probability in [0, 1) that a symbol is read as the unknown one while training",
        why="film reviews gain from 0.2, TREC's questions do not",
    )

    def __post_init__(self) -> None:
        sizes = {"hidden_size": self.hidden_size, "embedding_size": self.embedding_size}
        for name, size in sizes.items():
            require(size is None or 1 <= size <= 65536, name, size, "must be 1 to 65536")
        require(1 <= self.num_layers <= 64, "num_layers", self.num_layers, "must be 1 to 64")
        require_one_of("pooling", self.pooling, pooling.KINDS)
        for name in ("dropout", "token_dropout"):
            value = getattr(self, name)
            require(0 <= value < 1, name, value, "must be a probability in [0, 1)")


@dataclass(frozen=True)
class InputSize:
    """What a step of the input is: one of so many symbols, or a vector of so many numbers."""

    symbols: int = 0
    unknown: int = 0  # which of them stands for those that are not known
    width: int = 0  # where there are no symbols


class Encoder(nn.Module):
    """Logits (B, C) of a batch of sequences: ids (T, B) of symbols, or vectors (T, B, I).

    Embeddings start at the pretrained vectors; else at N(0, 1) for up to FEW symbols, each seen
    often (a language model's choice too), and at N(0, 0.1²) for more of them: a rare word's hardly
    moves from where it starts. After 3 epochs 0.80 of the held-out names are right from N(0, 1) and
    0.77 from N(0, 0.1²), of TREC's questions in words 0.72 and 0.81. The projection starts as a
    cell's weights, its bias at 0. `settings` must be `resolved`. A padded batch gives each sequence
    the logits that it has alone. A symbol read as the unknown one (iyyer2015) takes a word away and
    teaches the network what to do about a new one.
    """

    def __init__(
        self, settings: EncoderSettings, size: InputSize, classes: int, rng: np.random.Generator
    ) -> None:
        super().__init__()
        self.embedding = nn.ParameterDict()
        if size.symbols:
            assert settings.embedding_size is not None, "resolve the settings first"
            scale = 1.0 if size.symbols <= FEW else 0.1
            drawn = rng.standard_normal((size.symbols, settings.embedding_size))
            self.embedding["weight"] = _parameter(scale * drawn)
        self.recurrent = Stack(
            cells.load(settings.cell),
            settings.embedding_size or size.width,
            settings.hidden_size,
            num_layers=settings.num_layers,
            bidirectional=settings.bidirectional,
            dropout=settings.dropout,
            rng=rng,
        )
        directions = self.recurrent.num_directions
        features = directions * settings.hidden_size
        self.pooling = Pooling(settings.pooling, features, directions, rng)
        self.dropout = Dropout(settings.dropout)
        self.token_dropout, self.unknown = settings.token_dropout, size.unknown
        self.projection = nn.ParameterDict(
            {
                "weight": _parameter(cells.uniform(rng, (classes, features))),
                "bias": nn.Parameter(torch.zeros(classes)),
            }
        )

    def forward(
        self, values: Tensor, lengths: Tensor, generator: torch.Generator | None = None
    ) -> Tensor:
        """Logits (B, C); values (T, B) int64 or (T, B, I), lengths (B,), 1 to T."""
        embedding = self.embedding.get("weight")
        if embedding is None:
            outputs, _ = self.recurrent(values, lengths=lengths, generator=generator)
        elif self.training and (self.dropout.probability or self.token_dropout):
            values = self._some_unknown(values, generator)
            embedded = self.dropout(nn.functional.embedding(values, embedding), generator)
            outputs, _ = self.recurrent(embedded, lengths=lengths, generator=generator)
        else:
            outputs, _ = self.recurrent.forward_ids(values, embedding, lengths=lengths)
        pooled = self.dropout(self.pooling(outputs, lengths), generator)  # (B, D·H)
        logits: Tensor = pooled @ self.projection["weight"].T + self.projection["bias"]
        return logits

    def _some_unknown(self, ids: Tensor, generator: torch.Generator | None) -> Tensor:
        """The ids (T, B), each the unknown one's with the probability `token_dropout`."""
        if not self.token_dropout:
            return ids
        drawn = torch.rand(ids.shape, generator=generator, device=ids.device)
        return ids.masked_fill(drawn < self.token_dropout, self.unknown)


def resolved(settings: EncoderSettings, size: InputSize) -> EncoderSettings:
    """The settings with `embedding_size` decided; ConfigError for what vectors cannot have."""
    if size.symbols:
        chosen = settings.embedding_size or settings.hidden_size
        return dataclasses.replace(settings, embedding_size=chosen)
    for name in ("embedding_size", "token_dropout"):
        value = getattr(settings, name)
        require(not value, name, value, "is of symbols: vectors are read as they are")
    return settings


def expected_shapes(
    settings: EncoderSettings, size: InputSize, classes: int
) -> dict[str, tuple[int, ...]]:
    """The shape of every weight of an Encoder by name, without allocating one."""
    settings = resolved(settings, size)
    directions = ("", "_reverse") if settings.bidirectional else ("",)
    features = len(directions) * settings.hidden_size
    shapes: dict[str, tuple[int, ...]] = {}
    if settings.embedding_size is not None:
        shapes["embedding.weight"] = (size.symbols, settings.embedding_size)
    for depth in range(settings.num_layers):
        input_size = features if depth else settings.embedding_size or size.width
        parameters = cells.load(settings.cell).parameters(input_size, settings.hidden_size)
        for way in directions:
            for name, parameter in parameters.items():
                shapes[f"recurrent.l{depth}{way}.{name}"] = parameter.shape
    for name, shape in pooling.shapes(settings.pooling, features).items():
        shapes[f"pooling.{name}"] = shape
    shapes["projection.weight"], shapes["projection.bias"] = (classes, features), (classes,)
    return shapes


def _parameter(values: NDArray[np.float64]) -> nn.Parameter:
    return nn.Parameter(torch.from_numpy(values.astype(np.float32)))
