"""A tagger on torch: a tag for each word, from the word, its letters and its neighbours.

A word's vector is its embedding beside the last states of a recurrent network that reads its
letters from both sides (lample2016); a second one reads the sentence from both sides; a softmax at
each word or a conditional random field over the sentence chooses (huang2015).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from recurra import cells
from recurra.config import option, require
from recurra.layers.crf import ConditionalRandomField
from recurra.layers.dropout import Dropout
from recurra.layers.stack import Stack


@dataclass(frozen=True, kw_only=True)
class TaggerSettings:
    """The sizes of the network."""

    cell: str = option(
        "lstm",
        "a file name in cells/: see `recurra list cells`",
        why="greff2015: no variant is clearly better",
    )
    hidden_size: int = option(200, "units a layer and direction over the words", why="huang2015's")
    num_layers: int = option(1, "recurrent layers over the words", why="lample2016's")
    word_size: int = option(100, "units of a word's embedding", why="lample2016's")
    letter_size: int = option(25, "units of a letter's embedding", why="lample2016's")
    letter_hidden: int = option(
        50, "units a direction over a word's letters; 0: letters are not read", why="a guess"
    )
    dropout: float = option(
        0.5, "probability in [0, 1) on words' vectors and on the last layer", why="lample2016's"
    )
    crf: bool = option(
        False, "choose a sentence's tags together instead of each word's alone", why="a guess"
    )

    def __post_init__(self) -> None:
        for name in ("hidden_size", "word_size", "letter_size"):
            require(
                1 <= getattr(self, name) <= 65536, name, getattr(self, name), "must be 1 to 65536"
            )
        require(1 <= self.num_layers <= 64, "num_layers", self.num_layers, "must be 1 to 64")
        require(0 <= self.letter_hidden <= 65536, "letter_hidden", self.letter_hidden, "0 to 65536")
        require(0 <= self.dropout < 1, "dropout", self.dropout, "must be a probability in [0, 1)")


class Sentences(NamedTuple):
    """Sentences side by side, the letters of each different word once. All int64."""

    words: Tensor  # (T, B)
    lengths: Tensor  # (B,), each 1 or more
    letters: Tensor  # (L, N) of the N different words, as they are written
    letter_lengths: Tensor  # (N,), each 1 or more
    spelling: Tensor  # (T, B): which of the N each word is; anything within N at padding


class Tagger(nn.Module):
    """Scores (T, B, K) of every tag for every word; `best` and `nats` read them as the field does.

    words, letters and tags say how many of each there are; the first word and the first letter
    stand for all that are not known. Embeddings start at N(0, 1) over the square root of their
    size, but that of the unknown letter at zero: rare words teach what an unknown word means, and
    nothing teaches it of a letter, so it stays at the mean of what letters start at. Raises
    ConfigError for an unknown cell.
    """

    def __init__(
        self,
        settings: TaggerSettings,
        words: int,
        letters: int,
        tags: int,
        rng: np.random.Generator,
    ) -> None:
        super().__init__()
        cell = cells.load(settings.cell)
        self.words = _embedding(rng, words, settings.word_size)
        self.letters: nn.ParameterDict | None = None
        if settings.letter_hidden:
            self.letters = _embedding(rng, letters, settings.letter_size)
            with torch.no_grad():
                self.letters["weight"][0] = 0.0
            self.spelling = Stack(
                cell, settings.letter_size, settings.letter_hidden, bidirectional=True, rng=rng
            )
        self.dropout = Dropout(settings.dropout)
        self.recurrent = Stack(
            cell,
            settings.word_size + 2 * settings.letter_hidden,
            settings.hidden_size,
            num_layers=settings.num_layers,
            bidirectional=True,
            dropout=settings.dropout,
            rng=rng,
        )
        drawn = cells.uniform(rng, (tags, 2 * settings.hidden_size))
        self.projection = nn.ParameterDict(
            {"weight": nn.Parameter(_float32(drawn)), "bias": nn.Parameter(torch.zeros(tags))}
        )
        self.field = ConditionalRandomField(tags) if settings.crf else None

    def forward(self, batch: Sentences, generator: torch.Generator | None = None) -> Tensor:
        """(T, B, K); dropout needs its generator."""
        # not weight[words]: threads add its gradient up in the order in which they come
        vectors = nn.functional.embedding(batch.words, self.words["weight"])  # (T, B, E)
        if self.letters is not None:
            _, state = self.spelling.forward_ids(
                batch.letters, self.letters["weight"], lengths=batch.letter_lengths
            )
            spelled = torch.cat([one.hidden for one in state], dim=-1)  # (N, 2·letter_hidden)
            spelled = nn.functional.embedding(batch.spelling, spelled)
            vectors = torch.cat([vectors, spelled], dim=-1)
        vectors = self.dropout(vectors, generator)
        outputs, _ = self.recurrent(vectors, lengths=batch.lengths, generator=generator)
        outputs = self.dropout(outputs, generator)  # (T, B, 2·H)
        scores: Tensor = outputs @ self.projection["weight"].T + self.projection["bias"]
        return scores

    def nats(self, scores: Tensor, tags: Tensor, lengths: Tensor) -> Tensor:
        """−ln p of all tags (T, B) of the batch together: a scalar."""
        if self.field is not None:
            return self.field.nats(scores, tags, lengths).sum()
        real = torch.arange(len(tags), device=tags.device)[:, None] < lengths
        logs = scores.log_softmax(-1).gather(2, tags[..., None])[..., 0]  # (T, B)
        return -(logs * real).sum()

    def best(self, scores: Tensor, lengths: Tensor) -> Tensor:
        """The likeliest tags (T, B)."""
        if self.field is not None:
            return self.field.best(scores, lengths)
        return scores.argmax(-1)


def shapes(
    settings: TaggerSettings, words: int, letters: int, tags: int
) -> dict[str, tuple[int, ...]]:
    """The shape of every weight by name, computed without allocating one."""
    cell, hidden = cells.load(settings.cell), settings.hidden_size
    found: dict[str, tuple[int, ...]] = {"words.weight": (words, settings.word_size)}
    if settings.letter_hidden:
        found["letters.weight"] = (letters, settings.letter_size)
        found |= _layers(cell, "spelling", settings.letter_size, settings.letter_hidden, 1)
    size = settings.word_size + 2 * settings.letter_hidden
    found |= _layers(cell, "recurrent", size, hidden, settings.num_layers)
    found |= {"projection.weight": (tags, 2 * hidden), "projection.bias": (tags,)}
    if settings.crf:
        found |= {"field.start": (tags,), "field.transitions": (tags, tags), "field.end": (tags,)}
    return found


def _layers(
    cell: cells.Cell[tuple[object, ...]], name: str, size: int, hidden: int, depth: int
) -> dict[str, tuple[int, ...]]:
    """The shapes of a stack of two directions."""
    return {
        f"{name}.l{layer}{way}.{weight}": parameter.shape
        for layer in range(depth)
        for way in ("", "_reverse")
        for weight, parameter in cell.parameters(2 * hidden if layer else size, hidden).items()
    }


def _embedding(rng: np.random.Generator, symbols: int, size: int) -> nn.ParameterDict:
    drawn = rng.standard_normal((symbols, size)) * size**-0.5
    return nn.ParameterDict({"weight": nn.Parameter(_float32(drawn))})


def _float32(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))
