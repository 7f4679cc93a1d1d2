"""From column files to parts, an inventory and padded batches."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recurra.data import holdout
from recurra.data import sentences as builtin
from recurra.data.padded import PaddedBatches, Rows, pad
from recurra.data.splits import shares
from recurra.models.tagger import Sentences
from recurra.naming import absolute_or_none
from recurra.results import counted
from recurra.rng import Streams
from recurra.task import Prepared, Source
from recurra.tasks.tag import inventory, spans
from recurra.tasks.tag.config import Config, Data
from recurra.tasks.tag.inventory import Inventory
from recurra.text import conll, files
from recurra.text.conll import Sentence

MOST_LETTERS = 100  # of a word that are read: a word of more is an address or a mistake

Ids = NDArray[np.int64]


class Batch(NamedTuple):
    """Sentences side by side and their true tags."""

    sentences: Sentences
    tags: Tensor  # (T, B) int64, 0 at padding

    def to(self, device: torch.device) -> Batch:
        """The same on a device."""
        moved = (tensor.to(device) for tensor in self.sentences)
        return Batch(Sentences(*moved), self.tags.to(device))


class Corpus(NamedTuple):
    """The sentences of each part, tags of spans by the scheme; none in a part that is not there."""

    train: list[Sentence]
    valid: list[Sentence]
    test: list[Sentence]
    scheme: str | None
    broken: dict[str, int]  # of each part: how many tags stood against the scheme's rules
    sources: tuple[Source, ...]
    notes: tuple[str, ...]


class Numbered:
    """Sentences by the inventory's numbers, ready to be batched."""

    def __init__(self, found: Sequence[Sentence], known: Inventory, *, lowercase: bool) -> None:
        self.known, self.lowercase = known, lowercase
        self.lengths = np.array([len(sentence.words) for sentence in found], np.int64)
        self.spellings: list[Ids] = []  # the letters of each different word
        self._places: dict[str, int] = {}
        self._words = [self._ids(sentence.words) for sentence in found]
        self._forms = [self._spelled(sentence.words) for sentence in found]
        place = known.tags.ids
        # a held-out tag that could not be learned gets any number: only training reads these
        self._tags = [np.array([place.get(tag, 0) for tag in one.tags], np.int64) for one in found]

    def first(self, count: int) -> Numbered:
        """The first `count` of the sentences."""
        some = copy.copy(self)
        some.lengths = self.lengths[:count]
        return some

    def batch(self, rows: Rows) -> Batch:
        """The sentences with these numbers."""
        words = pad([self._words[row] for row in rows])
        forms = pad([self._forms[row] for row in rows])
        used, spelling = np.unique(forms.values, return_inverse=True)
        letters = pad([self.spellings[form] for form in used])
        tags = pad([self._tags[row] for row in rows])
        sentences = Sentences(
            torch.from_numpy(words.values),
            torch.from_numpy(words.lengths),
            torch.from_numpy(letters.values),
            torch.from_numpy(letters.lengths),
            torch.from_numpy(spelling.reshape(forms.values.shape)),
        )
        return Batch(sentences, torch.from_numpy(tags.values))

    def _ids(self, words: Sequence[str]) -> Ids:
        place = self.known.words.ids
        return np.array(
            [place.get(word.lower() if self.lowercase else word, 0) for word in words], np.int64
        )

    def _spelled(self, words: Sequence[str]) -> Ids:
        """The place of each word's letters in `spellings`."""
        for word in words:
            if word not in self._places:
                self._places[word] = len(self.spellings)
                letters = [self.known.letters.ids.get(letter, 0) for letter in word[:MOST_LETTERS]]
                self.spellings.append(np.array(letters, np.int64))
        return np.array([self._places[word] for word in words], np.int64)


def read_corpus(data: Data, names: Sequence[str]) -> Corpus:
    """The parts: of the files as `data` says, or of the built-in sentences where none is named.

    Tags of spans that break the scheme of the training part are repaired, and a note counts those
    that are learned. Raises DataError where a file cannot be used.
    """
    if names:
        paths = files.expand(names)
        main = [sentence for path in paths for sentence in read_file(path, data)]
        sources = [files.describe(path) for path in paths]
    else:
        main, source = builtin.sentences()
        sources = [source]
    held_out = []
    for name in (data.valid_file, data.test_file):
        paths = files.expand([name]) if name is not None else []
        held_out.append([sentence for path in paths for sentence in read_file(path, data)])
        sources += [files.describe(path) for path in paths]
    parts = shares(data.train_fraction, data.valid_fraction)
    # beside a file to validate on no share is kept to test on: the others are trained on as a whole
    files_of = {"valid": data.valid_file, "test": data.test_file or data.valid_file}
    elsewhere = [part for part, name in files_of.items() if name is not None]
    held = holdout.by_seed(len(main), parts, data.split_seed, elsewhere=elsewhere)
    train, valid, test = (
        [main[row] for row in rows] for rows in (held.train, held.valid, held.test)
    )
    valid, test = held_out[0] or valid, held_out[1] or test
    notes = held.notes
    scheme = spans.scheme_of([sentence.tags for sentence in train])
    parts_of, broken = {}, {}
    for name, part in (("train", train), ("valid", valid), ("test", test)):
        parts_of[name], broken[name] = repaired(part, scheme)
    notes = (*notes, *told(broken["train"], scheme, "learned"), *_strays(train))
    return Corpus(**parts_of, scheme=scheme, broken=broken, sources=tuple(sources), notes=notes)


def read_file(path: Path, data: Data) -> list[Sentence]:
    """The sentences of one file, its columns as `data` says."""
    return conll.read(path, data.word_column, data.tag_column, data.encoding)


def prepare(
    config: Config,
    names: Sequence[str],
    streams: Streams,
    assets: Inventory | None,
    *,
    extend: bool,
) -> Prepared[Batch]:
    """The run's data; `assets` as the Task protocol has them."""
    data = config.data
    corpus = read_corpus(data, names)
    if assets is None or extend:
        known = inventory.learned(
            corpus.train,
            corpus.scheme,
            lowercase=data.lowercase,
            min_count=data.min_count,
            old=assets,
        )
    else:
        known = assets
    train = Numbered(corpus.train, known, lowercase=data.lowercase)
    valid = Numbered(corpus.valid, known, lowercase=data.lowercase) if corpus.valid else None
    batch = min(config.training.batch_size, len(corpus.train))
    resolved = dataclasses.replace(
        config,
        data=dataclasses.replace(
            data,
            valid_file=absolute_or_none(data.valid_file),
            test_file=absolute_or_none(data.test_file),
        ),
    )
    parts = {name: getattr(corpus, name) for name in ("train", "valid", "test")}
    return Prepared(
        config=resolved,
        assets=known,
        train=PaddedBatches(train.lengths, batch, streams.order, train.batch),
        valid=None if valid is None else (valid, corpus.valid),
        sources=corpus.sources,
        notes=(*corpus.notes, *_unseen(corpus, known)),
        facts={
            "words": len(known.words),
            "tags": ", ".join(known.tags.symbols),
            "scheme": known.scheme or "none",
            **{f"{name}_sentences": len(part) for name, part in parts.items()},
        },
    )


def repaired(found: list[Sentence], scheme: str | None) -> tuple[list[Sentence], int]:
    """The sentences with tags by the scheme's rules, the same spans, and how many that changed."""
    if scheme is None:
        return found, 0
    changed = 0
    right = []
    for sentence in found:
        tags, places = spans.repaired(sentence.tags, scheme)
        changed += len(places)
        right.append(Sentence(sentence.words, tuple(tags)))
    return right, changed


def told(count: int, scheme: str | None, done: str) -> tuple[str, ...]:
    """A note on tags that were repaired, and as what: 'learned' or 'counted'."""
    note = (
        f"{counted(count, 'tag')} against the rules of the {scheme} scheme: {done} as the same "
        "spans by it."
    )
    return (note,) if count else ()


def _strays(found: list[Sentence]) -> tuple[str, ...]:
    """A note where most tags are of spans, but not all: then none is read as one."""
    tags = {tag for sentence in found for tag in sentence.tags}
    strays = sorted(spans.strays(tags))
    if not 0 < 2 * len(strays) < len(tags):
        return ()
    some = ", ".join(strays[:5]) + (", …" if len(strays) > 5 else "")
    return (f"no spans are read and no span F1 counted: these are no tags of spans: {some}.",)


def _unseen(corpus: Corpus, known: Inventory) -> tuple[str, ...]:
    """A note on tags that are held out and cannot be learned."""
    held_out = {tag for sentence in (*corpus.valid, *corpus.test) for tag in sentence.tags}
    if not (unseen := sorted(held_out - known.tags.ids.keys())):
        return ()
    some = ", ".join(unseen[:5]) + (", …" if len(unseen) > 5 else "")
    return (f"in the held-out parts but never in the training part, so always wrong: {some}.",)
