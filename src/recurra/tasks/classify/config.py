"""The settings of the classification task."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from recurra.config import option, require, require_one_of
from recurra.data.examples import Columns
from recurra.data.splits import shares
from recurra.models.encoder import EncoderSettings
from recurra.training.settings import Training

TOKENS = ("char", "word")
WEIGHTS = ("none", "balanced")
SPLITS = ("auto", "train", "valid", "test", "all")


@dataclass(frozen=True, kw_only=True)
class Data:
    """How examples are read, and which of them are held out."""

    tokens: str = option("char", "of text: char or word", why="works for names and for Chinese")
    lowercase: bool = option(False, "read text in lower case", why="case tells names from words")
    seq_len: int | None = option(
        None, "steps that are read of each; none: all", why="nothing is thrown away"
    )
    min_count: int = option(
        2, "rarer symbols become the unknown one", why="so that the unknown symbol is learned"
    )
    max_vocab: int | None = option(
        None, "keep only so many of the most frequent symbols; none: all", why="every symbol counts"
    )
    vectors: str | None = option(
        None, "pretrained vectors of words, a text or .npz file", why="few have them at hand"
    )
    class_weights: str = option(
        "none", "balanced: every class counts alike in the loss", why="accuracy counts examples"
    )
    text_column: str = option("text", "of .csv, .tsv and .jsonl", why="the usual name")
    label_column: str = option("label", "of .csv, .tsv and .jsonl", why="the usual name")
    line: str | None = option(
        None,
        "how a line without a header is written: '{text}\\t{label}', '{label}:{kind} {text}'",
        why="most tables have a header",
    )
    encoding: str | None = option(
        None, "of the files; none: UTF-8, or UTF-16 with its mark", why="nothing is guessed"
    )
    train_fraction: float = option(0.8, "share of each class that is trained on", why="usual")
    valid_fraction: float = option(
        0.1, "share of each class that is validated on; the rest is test", why="usual"
    )
    split_seed: int = option(0, "of the shares; not the run's seed", why="runs share their test")
    valid_file: str | None = option(
        None, "validate on this file or folder instead of a share", why="most data come in one"
    )
    test_file: str | None = option(
        None, "test on this file or folder instead of a share", why="most data come in one"
    )

    def __post_init__(self) -> None:
        require_one_of("tokens", self.tokens, TOKENS)
        require_one_of("class_weights", self.class_weights, WEIGHTS)
        require(
            self.seq_len is None or self.seq_len >= 1, "seq_len", self.seq_len, "must be 1 or more"
        )
        require(self.min_count >= 1, "min_count", self.min_count, "must be 1 or more")
        require(
            self.max_vocab is None or self.max_vocab >= 3, "max_vocab", self.max_vocab, "3 or more"
        )
        require(
            self.vectors is None or self.tokens == "word",
            "vectors",
            self.vectors,
            "are of words: give --tokens word, too",
        )
        require(self.text_column != self.label_column, "label_column", self.label_column, "is text")
        shares(self.train_fraction, self.valid_fraction)
        require(self.split_seed >= 0, "split_seed", self.split_seed, "must be 0 or more")

    @property
    def columns(self) -> Columns:
        """Where text and label stand in a file."""
        return Columns(self.text_column, self.label_column, self.line, self.encoding)


def _training() -> Training:
    return Training(batch_size=64, learning_rate=2e-3, validate_every=100, sample_every=500)


@dataclass(frozen=True, kw_only=True)
class Config:
    """All settings of the task."""

    model: EncoderSettings = field(default_factory=EncoderSettings)
    data: Data = field(default_factory=Data)
    training: Training = field(default_factory=_training)


@dataclass(frozen=True, kw_only=True)
class Input:
    """One example: a text; for a run on vectors, a file of them (each in it is answered)."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Answering:
    """What may be asked of an answer."""

    top_k: int = option(3, "labels shown with their probabilities, the likeliest first")

    def __post_init__(self) -> None:
        require(self.top_k >= 1, "top_k", self.top_k, "must be 1 or more")


@dataclass(frozen=True, kw_only=True)
class Evaluating:
    """What may be asked of `evaluate`."""

    split: str = option("auto", "auto: test, else valid; train, valid, test or all of the examples")
    repeated: bool = option(True, "also examples whose input stands in the training part")
    picture: str | None = option(
        None,
        "a .png file for the confusion matrix; none: confusion.png in the run, of its own parts",
    )

    def __post_init__(self) -> None:
        require_one_of("split", self.split, SPLITS)
        if self.picture is not None:
            png = Path(self.picture).suffix.lower() == ".png"
            require(png, "picture", self.picture, "must name a .png file: no other kind is drawn")
