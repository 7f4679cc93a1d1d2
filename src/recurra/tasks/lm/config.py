"""The settings of the language model task."""

from __future__ import annotations

from dataclasses import dataclass, field

from recurra.config import option, require, require_one_of
from recurra.data.splits import shares
from recurra.runtime.settings import NetworkSettings
from recurra.training.settings import Training

KINDS = ("char", "byte", "word", "bpe")
SPLITS = ("auto", "train", "valid", "test", "all")


@dataclass(frozen=True, kw_only=True)
class Data:
    """How text becomes tokens, and which part of it is held out."""

    tokens: str = option(
        "char", f"what a symbol is: one of {', '.join(KINDS)}", why="the lectures' own"
    )
    seq_len: int = option(
        64,
        "steps between truncations of back-propagation",
        why="a guess",
    )
    encoding: str | None = option(
        None, "of the files; none: UTF-8, or UTF-16 with its mark", why="nothing is guessed"
    )
    min_count: int = option(
        1, "word and char: rarer symbols become the unknown one", why="every symbol counts"
    )
    max_vocab: int | None = option(
        None,
        "word and char: keep only so many of the most frequent; none: all",
        why="every symbol counts",
    )
    bpe_vocab: int = option(4096, "bpe: symbols to learn", why="a guess")
    train_fraction: float = option(
        0.9, "share of the text, from its start, that is trained on", why="nanoGPT's"
    )
    valid_fraction: float = option(
        0.05, "share after it that is validated on; the rest is test", why="char-rnn's"
    )
    valid_file: str | None = option(
        None, "validate on this file instead of a share", why="most texts come in one piece"
    )
    test_file: str | None = option(
        None, "test on this file instead of a share", why="most texts come in one piece"
    )
    prompt: str = option(
        "", "what the samples drawn while training begin with", why="starts after the context"
    )
    sample_length: int = option(
        300, "symbols of a sample drawn while training", why="a screen's paragraph"
    )

    def __post_init__(self) -> None:
        require_one_of("tokens", self.tokens, KINDS)
        require(1 <= self.seq_len <= 2**20, "seq_len", self.seq_len, "must be 1 to 2^20")
        require(self.min_count >= 1, "min_count", self.min_count, "must be 1 or more")
        require(
            self.max_vocab is None or self.max_vocab >= 1, "max_vocab", self.max_vocab, "at least 1"
        )
        require(257 <= self.bpe_vocab <= 2**24, "bpe_vocab", self.bpe_vocab, "must be 257 to 2^24")
        shares(self.train_fraction, self.valid_fraction)
        require(0 <= self.sample_length <= 10**6, "sample_length", self.sample_length, "0 to 10^6")


def _training() -> Training:
    # A text of a megabyte is read thirty times in three minutes: without weight decay it is learned
    # by heart (docs/language_model.md has the figures).
    return Training(optimizer="adamw")


@dataclass(frozen=True, kw_only=True)
class Config:
    """All settings of the task."""

    model: NetworkSettings = field(default_factory=NetworkSettings)
    data: Data = field(default_factory=Data)
    training: Training = field(default_factory=_training)


_OF_WINDOWS = "is about random windows: give windows, too"


@dataclass(frozen=True, kw_only=True)
class Evaluating:
    """What may be asked of `evaluate`."""

    split: str = option("auto", "auto: test, else valid; train, valid, test or all of the text")
    windows: int = option(0, "0: every token once, state carried; N: random windows of N tokens")
    window_count: int = option(1000, "how many random windows; their spread gives the error")
    seed: int = option(0, "of the random windows")
    int8: bool = option(False, "also with weights rounded to 8 bits, and what that costs")

    def __post_init__(self) -> None:
        require_one_of("split", self.split, SPLITS)
        require(self.windows >= 0, "windows", self.windows, "must not be negative")
        require(self.window_count >= 1, "window_count", self.window_count, "must be 1 or more")
        if not self.windows:
            require(self.window_count == 1000, "window_count", self.window_count, _OF_WINDOWS)
            require(self.seed == 0, "seed", self.seed, _OF_WINDOWS)


@dataclass(frozen=True, kw_only=True)
class Input:
    """One example: a text to be continued."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Answering:
    """What may be asked of an answer: nothing here; `sample` and `score` have their own flags."""
