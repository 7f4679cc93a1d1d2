"""The settings of the tag task."""

from __future__ import annotations

from dataclasses import dataclass, field

from recurra.config import option, require, require_one_of
from recurra.data.splits import shares
from recurra.models.tagger import TaggerSettings
from recurra.training.settings import Training

SPLITS = ("auto", "train", "valid", "test", "all")


@dataclass(frozen=True, kw_only=True)
class Data:
    """Which columns of which files are read, and which sentences are held out."""

    word_column: str | None = option(
        None,
        "of the words: a number from 1, -1 the last, or CoNLL-U's name; none: form, or the first",
        why="as the formats have it",
    )
    tag_column: str | None = option(
        None,
        "of the tags, told likewise; none: upos, or the last",
        why="as the formats have it",
    )
    encoding: str | None = option(
        None, "of the files; none: UTF-8, or UTF-16 with its mark", why="nothing is guessed"
    )
    lowercase: bool = option(
        True,
        "one embedding for a word however its letters are cased; its letters keep their case",
        why="lample2016's practice",
    )
    min_count: int = option(
        2, "rarer words share the unknown one's embedding", why="the unknown word must be learned"
    )
    train_fraction: float = option(
        0.8, "share of the sentences that is trained on", why="where no files say"
    )
    valid_fraction: float = option(
        0.1, "share that is validated on; the rest is test", why="where no files say"
    )
    split_seed: int = option(
        0, "of that draw; --seed leaves it as it is", why="runs of other seeds can be compared"
    )
    valid_file: str | None = option(
        None, "validate on this file instead of a share", why="not every corpus has one"
    )
    test_file: str | None = option(
        None, "test on this file instead of a share", why="not every corpus has one"
    )

    def __post_init__(self) -> None:
        require(self.min_count >= 1, "min_count", self.min_count, "must be 1 or more")
        require(self.split_seed >= 0, "split_seed", self.split_seed, "must not be negative")
        shares(self.train_fraction, self.valid_fraction)


def _training() -> Training:
    return Training(batch_size=32, learning_rate=2e-3, validate_every=200, sample_every=400)


@dataclass(frozen=True, kw_only=True)
class Config:
    """All settings of the task."""

    model: TaggerSettings = field(default_factory=TaggerSettings)
    data: Data = field(default_factory=Data)
    training: Training = field(default_factory=_training)


@dataclass(frozen=True, kw_only=True)
class Evaluating:
    """What may be asked of `evaluate`."""

    split: str = option(
        "auto", "auto: test, else valid; train, valid, test or all of the sentences"
    )

    def __post_init__(self) -> None:
        require_one_of("split", self.split, SPLITS)


@dataclass(frozen=True, kw_only=True)
class Input:
    """One example: a sentence, its words and punctuation marks between blanks."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Answering:
    """What may be asked of an answer: nothing."""
