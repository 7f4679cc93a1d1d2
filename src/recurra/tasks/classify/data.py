"""From the user's files to labelled sequences, parts and padded batches.

The vocabulary is that of the training part alone: what is new elsewhere is the unknown symbol.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recurra.config import require
from recurra.data import holdout, invented, labelled, word_vectors
from recurra.data.examples import Examples, join
from recurra.data.padded import PaddedBatches, pad
from recurra.data.splits import shares
from recurra.errors import DataError
from recurra.models.encoder import resolved
from recurra.naming import STEP_SIZE, absolute_or_none
from recurra.rng import Streams
from recurra.task import Prepared, Source
from recurra.tasks.classify import assets as kept
from recurra.tasks.classify.assets import Assets, Scale, as_read
from recurra.tasks.classify.config import Config, Data
from recurra.text import tokenizers
from recurra.text.files import describe
from recurra.text.tokenizers import Tokenizer

PARTS = ("train", "valid", "test")


class Batch(NamedTuple):
    """Sequences side by side with their classes."""

    values: NDArray[Any]  # (T, B) ids int64, or (T, B, I) vectors float32
    lengths: NDArray[np.int64]  # (B,)
    classes: NDArray[np.int64]  # (B,)
    weights: NDArray[np.float32]  # (B,): how much each counts


@dataclass(frozen=True)
class Part:
    """The examples of one part as the network reads them."""

    examples: Examples
    sequences: list[NDArray[Any]]  # each (T,) or (T, I)
    classes: NDArray[np.int64]  # (N,)
    weights: NDArray[np.float32]  # (C,): of each class
    scale: Scale | None

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Steps of each sequence."""
        return np.array([len(one) for one in self.sequences], np.int64)

    def batch(self, rows: NDArray[np.int64]) -> Batch:
        """The examples with these numbers."""
        values, lengths = padded([self.sequences[row] for row in rows], self.scale)
        classes = self.classes[rows]
        return Batch(values, lengths, classes, self.weights[classes])


def padded(
    sequences: Sequence[NDArray[Any]], scale: Scale | None
) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """(values, lengths) of sequences side by side, vectors scaled."""
    values, lengths = pad(sequences)
    if scale is not None:
        values = (values.astype(np.float32) - scale.shift) / scale.spread
    return values, lengths


@dataclass(frozen=True)
class Corpus:
    """All examples of a run by part, and the files they are from."""

    parts: dict[str, Examples]  # train, and valid and test where there are any
    sources: tuple[Source, ...]
    notes: tuple[str, ...]

    @classmethod
    def read(cls, data: Data, names: Sequence[str]) -> Corpus:
        """The examples of the files named, of the built-in set without any, and the held out."""
        if names:
            main = labelled.read(names, data.columns)
            sources = [describe(path) for path in main.files]
        else:
            texts, labels, source = invented.words()
            places = [f"built-in word {number}" for number in range(1, len(texts) + 1)]
            main, sources = Examples(texts, labels, places, ()), [source]
        given = {"valid": data.valid_file, "test": data.test_file}
        held_out = {
            part: labelled.read([name], data.columns, set(main.labels))
            for part, name in given.items()
            if name is not None
        }
        sources += [describe(path) for part in held_out.values() for path in part.files]
        parts, notes = _split(main, data, held_out)
        notes = (*notes, *join([main, *held_out.values()]).notes)
        return cls(parts, tuple(sources), notes)


def prepare(
    config: Config,
    names: Sequence[str],
    streams: Streams,
    assets: Assets | None,
    *,
    extend: bool,
) -> Prepared[Batch]:
    """The run's data: labels, vocabulary or scale, parts, training batches."""
    corpus = Corpus.read(config.data, names)
    train = corpus.parts["train"]
    notes = corpus.notes
    if assets is None or extend:
        assets, found = _fit(train, config.data, assets)
        notes = (*notes, *found)
    config = _resolved(config, assets)
    parts = {name: encoded(part, config.data, assets, train) for name, part in corpus.parts.items()}
    batches = PaddedBatches(
        parts["train"].lengths, config.training.batch_size, streams.order, parts["train"].batch
    )
    size = assets.input_size
    lengths = parts["train"].lengths
    return Prepared(
        config=config,
        assets=assets,
        train=batches,
        valid=parts.get("valid"),
        sources=corpus.sources,
        notes=notes,
        facts={
            "classes": len(assets.labels),
            **({"symbols": size.symbols} if size.symbols else {STEP_SIZE: size.width}),
            **({"pretrained_words": len(assets.vectors)} if assets.vectors else {}),
            **{
                f"{name}_examples": len(corpus.parts[name]) if name in corpus.parts else 0
                for name in PARTS
            },
            "longest_sequence": int(lengths.max()),
        },
    )


def encoded(examples: Examples, data: Data, assets: Assets, train: Examples) -> Part:
    """The examples as the network reads them; class weights are those of the training part."""
    sequences = [
        assets.sequence(given, data, where)
        for given, where in zip(examples.inputs, examples.places, strict=True)
    ]
    weights = np.ones(len(assets.labels), np.float32)
    if data.class_weights == "balanced":
        counts = np.bincount(assets.class_numbers(train), minlength=len(weights))
        # a class that only an earlier run had is not in the loss: its weight does not matter
        weights = (len(train) / (len(weights) * np.maximum(counts, 1))).astype(np.float32)
    return Part(examples, sequences, assets.class_numbers(examples), weights, assets.scale)


def _split(
    main: Examples, data: Data, held_out: dict[str, Examples]
) -> tuple[dict[str, Examples], tuple[str, ...]]:
    """The parts by name: those in files of their own, and shares of the rest, class by class."""
    fractions = shares(data.train_fraction, data.valid_fraction)
    held = holdout.by_seed(
        len(main), fractions, data.split_seed, main.labels, elsewhere=held_out.keys()
    )
    parts = {name: main.take(getattr(held, name)) for name in PARTS if len(getattr(held, name))}
    return {**parts, **held_out}, held.notes


def _fit(train: Examples, data: Data, old: Assets | None) -> tuple[Assets, tuple[str, ...]]:
    """Labels, tokenizer or scale and vectors from the training part, behind those of `old`."""
    known = old.labels if old else ()
    labels = (*known, *_ordered(set(train.labels) - set(known)))
    if len(set(train.labels)) < 2:
        raise DataError(
            f"all examples have the label {train.labels[0]!r}: it takes two to tell apart."
        )
    rare = [label for label, count in Counter(train.labels).items() if count == 1]
    notes = [f"the class {label!r} has one example to learn from." for label in rare]
    if not isinstance(train.inputs[0], str):
        require(data.vectors is None, "vectors", data.vectors, "are of words, and this is no text")
        if old is not None and old.scale is None:
            raise DataError("these are vectors, and the run started from reads text.")
        scale = old.scale if old else kept.fit_scale(train)
        return Assets(labels, scale=scale), (*notes, *_of_text(data))
    if old is not None and old.tokenizer is None:
        raise DataError("these are texts, and the run started from reads vectors.")
    tokenizer = _fit_tokenizer(train, data, old.tokenizer if old else None)
    vectors: word_vectors.Vectors = {}
    if data.vectors is not None:
        words = [tokenizer.pieces([number])[0] for number in range(tokenizer.vocab_size)]
        vectors = word_vectors.read(Path(data.vectors), words, data.encoding)
        notes.append(
            f"{len(vectors):,} of {len(words):,} words start at the vectors of {data.vectors}."
        )
    return Assets(labels, tokenizer, vectors=vectors), tuple(notes)


def _of_text(data: Data) -> tuple[str, ...]:
    """A note on settings that were given, and that nothing but text is read by."""
    usual = Data()
    of_text = ("tokens", "lowercase", "min_count", "max_vocab")
    given = [name for name in of_text if getattr(data, name) != getattr(usual, name)]
    if not given:
        return ()
    return (f"these are vectors: settings of text change nothing: {', '.join(given)}.",)


def _fit_tokenizer(train: Examples, data: Data, old: Tokenizer | None) -> Tokenizer:
    texts = _as_cut([as_read(text, data) for text in train.inputs], data)
    count, most = data.min_count, data.max_vocab
    if old is None:
        return tokenizers.fit(
            data.tokens, texts, min_count=count, max_vocab=most, unknown_symbol=True
        )
    require(
        old.kind == data.tokens,
        "tokens",
        data.tokens,
        f"the run started from has {old.kind} tokens",
    )
    return tokenizers.extend(old, texts, min_count=count, max_vocab=most)


def _as_cut(texts: Sequence[str], data: Data) -> Sequence[str]:
    """The part of each text that is read, its first `seq_len` tokens."""
    if data.seq_len is None:
        return texts
    whole = tokenizers.fit(data.tokens, texts, unknown_symbol=True)
    return [whole.decode(whole.encode(text)[: data.seq_len]) for text in texts]


def _ordered(labels: set[str]) -> list[str]:
    """Sorted, as numbers where all are whole numbers."""
    if not all(label.isascii() and label.isdigit() for label in labels):
        return sorted(labels)
    # by digits and not by int(), which takes only so many; 1 and 01 have a fixed order, too
    bare = {label: label.lstrip("0") for label in labels}
    return sorted(labels, key=lambda label: (len(bare[label]), bare[label], label))


def _resolved(config: Config, assets: Assets) -> Config:
    """The config with what the data decide filled in, and paths that hold anywhere."""
    model = config.model
    if assets.vectors:
        size = len(next(iter(assets.vectors.values())))
        require(
            model.embedding_size in (None, size),
            "embedding_size",
            model.embedding_size,
            f"the pretrained vectors have {size} numbers",
        )
        model = dataclasses.replace(model, embedding_size=size)
    data = dataclasses.replace(
        config.data,
        valid_file=absolute_or_none(config.data.valid_file),
        test_file=absolute_or_none(config.data.test_file),
        vectors=absolute_or_none(config.data.vectors),
    )
    return dataclasses.replace(config, model=resolved(model, assets.input_size), data=data)
