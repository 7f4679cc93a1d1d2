"""From the user's files to tokens, parts and streams.

The vocabulary: characters are those of all files, held-out ones too, so that every symbol counts;
words are those of the training part alone, because what is rare there must be unknown elsewhere.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from recurra.config import require
from recurra.data import builtin, splits, token_file
from recurra.data.splits import Parts
from recurra.data.streams import TokenStreams, fit_shape
from recurra.data.token_file import Array, Tokens
from recurra.errors import ConfigError, DataError
from recurra.naming import absolute_or_none
from recurra.rng import Streams
from recurra.runtime import CONTEXT, default_context, resolve
from recurra.task import Prepared
from recurra.tasks.lm.config import Config, Data
from recurra.text import files, tokenizers
from recurra.text.reading import Progress, chunks
from recurra.text.tokenizers import Tokenizer, words

Texts = Callable[[], Iterable[str]]


@dataclass(frozen=True)
class Corpus:
    """The text of a run: its main files or the built-in text, and the held-out files if any."""

    data: Data
    main: tuple[Path, ...]  # empty: the built-in text
    held_out: tuple[Path, ...]

    @classmethod
    def find(cls, data: Data, names: Sequence[str]) -> Corpus:
        """The files that are named; DataError where one is not there."""
        require(
            data.test_file is None or data.valid_file is not None,
            "test_file",
            data.test_file,
            "give valid_file too: the other files are then trained on as a whole",
        )
        held_out = [name for name in (data.valid_file, data.test_file) if name is not None]
        for name in held_out:
            require(not Path(name).is_dir(), "valid_file or test_file", name, "must be one file")
        return cls(
            data,
            tuple(files.expand(names)) if names else (),
            tuple(files.expand(held_out)) if held_out else (),
        )

    def texts(self, progress: Progress | None = None) -> Iterator[str]:
        """The main text in pieces."""
        if self.main:
            raw = self.data.tokens == "byte"
            yield from chunks(self.main, self.data.encoding, raw=raw, progress=progress)
        else:
            yield builtin.text()[0]

    def all_texts(self, progress: Progress | None = None) -> Iterator[str]:
        """The main and the held-out text in pieces."""
        yield from self.texts(progress)
        yield from chunks(self.held_out, self.data.encoding, raw=self.data.tokens == "byte")

    def vocabulary_texts(self, progress: Progress | None) -> Iterable[str]:
        """The text that the vocabulary is learned from."""
        if self.data.tokens != "word":
            return self.all_texts(progress)
        if self.held_out:
            return self.texts(progress)
        total = sum(len(words(text)) for text in self.texts(progress))
        train, _, _ = splits.sizes(total, self.fractions)
        return _leading(self.texts, train)

    @property
    def fractions(self) -> splits.Fractions:
        """Train, valid and test, where no files are held out."""
        return splits.shares(self.data.train_fraction, self.data.valid_fraction)

    def encoded(
        self, tokenizer: Tokenizer, progress: Progress | None = None
    ) -> tuple[Tokens, list[Tokens]]:
        """The tokens of the main text and of each held-out file."""
        if self.main:
            main = token_file.encode_files(self.main, tokenizer, self.data.encoding, progress)
        else:
            text, source = builtin.text()
            main = token_file.encode_text(text, tokenizer, source)
        others = [
            token_file.encode_files([path], tokenizer, self.data.encoding) for path in self.held_out
        ]
        return main, others

    def parts(self, main: Tokens, others: Sequence[Tokens]) -> Parts:
        """Train, valid and test."""
        if self.held_out:
            valid, test = [*(tokens.ids for tokens in others), None][:2]
            return splits.by_files(main.ids, valid, test)
        return splits.by_fractions(main.ids, self.fractions)


def fit_tokenizer(corpus: Corpus, old: Tokenizer | None, progress: Progress | None) -> Tokenizer:
    """The tokenizer learned from the corpus, or `old` with the corpus's new symbols added."""
    data, texts = corpus.data, corpus.vocabulary_texts(progress)
    if old is not None:
        require(
            old.kind == data.tokens,
            "tokens",
            data.tokens,
            f"the run started from has {old.kind} tokens",
        )
        return tokenizers.extend(old, texts, min_count=data.min_count, max_vocab=data.max_vocab)
    return tokenizers.fit(
        data.tokens,
        texts,
        min_count=data.min_count,
        max_vocab=data.max_vocab,
        bpe_vocab=data.bpe_vocab,
    )


def prepare(
    config: Config,
    names: Sequence[str],
    streams: Streams,
    assets: Tokenizer | None,
    *,
    extend: bool,
    progress: Progress | None,
) -> Prepared[object]:
    """The run's data: tokens, parts, training streams; batch and length as the text allows."""
    corpus = Corpus.find(config.data, names)
    tokenizer = assets if assets and not extend else fit_tokenizer(corpus, assets, progress)
    _check_prompt(config.data.prompt, tokenizer)
    try:
        main, others = corpus.encoded(tokenizer, progress)
    except DataError as error:
        if assets is None or extend:
            raise
        raise DataError(f"the text cannot be read again as it was in training: {error}") from None
    parts = corpus.parts(main, others)
    batch, seq_len, notes = fit_shape(
        len(parts.train), config.training.batch_size, config.data.seq_len
    )
    resolved = dataclasses.replace(
        config,
        model=resolve(config.model),
        data=dataclasses.replace(
            config.data,
            seq_len=seq_len,
            valid_file=absolute_or_none(config.data.valid_file),
            test_file=absolute_or_none(config.data.test_file),
        ),
        training=dataclasses.replace(config.training, batch_size=batch),
    )
    return Prepared(
        config=resolved,
        assets=tokenizer,
        train=TokenStreams(parts.train, batch, seq_len, streams.order),
        valid=parts.valid,
        sources=tuple(source for tokens in (main, *others) for source in tokens.sources),
        notes=(
            *(note for tokens in (main, *others) for note in tokens.notes),
            *parts.notes,
            *notes,
        ),
        facts={
            CONTEXT: default_context(tokenizer, main.counts),
            "symbols": tokenizer.vocab_size,
            "train_tokens": len(parts.train),
            "valid_tokens": _length(parts.valid),
            "test_tokens": _length(parts.test),
        },
    )


def _check_prompt(prompt: str, tokenizer: Tokenizer) -> None:
    """ConfigError unless samples can begin with the prompt: hours later it would be too late."""
    try:
        tokenizer.encode(prompt)
    except DataError as error:
        raise ConfigError(f"prompt = {prompt!r}: {error}") from None


def _length(part: Array | None) -> int:
    return 0 if part is None else len(part)


def _leading(texts: Texts, count: int) -> Iterator[str]:
    """The first `count` words (ends of lines among them) of the text."""
    for text in texts():
        found = words(text)
        yield text if len(found) <= count else " ".join(found[:count])
        count -= len(found)
        if count <= 0:
            return
