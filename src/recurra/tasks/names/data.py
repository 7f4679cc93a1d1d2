"""From a list of names to symbols and padded batches.

Each name is read after START and ends with the stop symbol, which is predicted as its letters are.
The vocabulary is every character of the list, held-out names too, as a language model's is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from recurra.data import name_list
from recurra.data.name_list import NameList
from recurra.data.padded import PaddedBatches, Rows, pad
from recurra.errors import DataError
from recurra.naming import CLASSES
from recurra.results import counted
from recurra.rng import Streams
from recurra.runtime import CONTEXT, STOP, resolve, start
from recurra.task import Prepared
from recurra.tasks.names.config import Config
from recurra.text import tokenizers
from recurra.text.reading import Progress
from recurra.text.tokenizers import Tokenizer

END = "\n"  # the stop symbol: no name has it


class Batch(NamedTuple):
    """Names side by side; what stands behind a name's end is not counted."""

    inputs: NDArray[np.int64]  # (T, B): START, then the letters
    targets: NDArray[np.int64]  # (T, B): the letters, then the stop symbol
    mask: NDArray[np.bool_]  # (T, B), True up to the stop symbol


@dataclasses.dataclass(frozen=True)
class Symbols:
    """Names as symbols, one after the other."""

    targets: NDArray[np.integer[Any]]  # (tokens,): each name's letters and its stop symbol
    begins: Rows  # (names + 1,): where each name begins, and the end
    starts: Rows  # (names,): the START of each

    def lengths(self, rows: Rows) -> Rows:
        """How many predictions each of these names is."""
        return self.begins[rows + 1] - self.begins[rows]

    def batch(self, rows: Rows) -> Batch:
        """These names (B,) side by side."""
        padded = pad([self.targets[self.begins[row] : self.begins[row + 1]] for row in rows])
        inputs = np.concatenate([self.starts[rows][None], padded.values[:-1]])
        return Batch(inputs, padded.values, padded.mask)


class Part(NamedTuple):
    """The names of a part."""

    symbols: Symbols
    rows: Rows


def encode(found: NameList, tokenizer: Tokenizer) -> Symbols:
    """The names' symbols; DataError where the tokenizer lacks one, or a class."""
    _require_known(found.names, tokenizer)
    targets = tokenizer.encode("".join(name + END for name in found.names))
    stop = int(tokenizer.encode(END)[0])
    begins = np.concatenate([[0], np.flatnonzero(targets == stop) + 1]).astype(np.int64)
    if not tokenizer.special:
        return Symbols(targets, begins, np.full(len(found.names), stop, np.int64))
    known = tokenizer.special
    if not found.labels:
        raise DataError(
            "the names have no classes, and those trained on had: give --classes, and files that "
            "say each name's."
        )
    lacking = [label for label in found.labels if start.symbol(label) not in known]
    if lacking:
        have = ", ".join(start.labels(list(known)))
        raise DataError(f"the model knows no class {lacking[0]!r}. Have: {have}.")
    starts = [known[start.symbol(label)] for label in found.labels]
    return Symbols(targets, begins, np.array(starts, np.int64))


def _require_known(names: Sequence[str], tokenizer: Tokenizer) -> None:
    """DataError naming the first name with a symbol that the model has none for."""
    if not (unseen := set(tokenizer.unseen("".join(names)))):
        return
    others = [name for name in names if not unseen.isdisjoint(name)]
    symbol = next(symbol for symbol in others[0] if symbol in unseen)
    more = f" (as has {counted(len(others) - 1, 'more name')})" if len(others) > 1 else ""
    raise DataError(
        f"the name {others[0]!r} has {symbol!r} (U+{ord(symbol):04X}){more}, which was in none of "
        "the names trained on. Leave it out, or start a run from this one: "
        "recurra train names … --from RUN."
    )


def fit_tokenizer(found: NameList, old: Tokenizer | None) -> Tokenizer:
    """The tokenizer of the list's characters and classes, or `old` with its new ones added."""
    texts = [END.join([*found.names, ""])]
    new = tokenizers.extend(old, texts) if old else tokenizers.fit("char", texts)
    return tokenizers.with_special(new, [start.symbol(one) for one in sorted(set(found.labels))])


def prepare(
    config: Config,
    given: Sequence[str],
    streams: Streams,
    assets: Tokenizer | None,
    *,
    extend: bool,
    progress: Progress | None,
) -> Prepared[Batch]:
    """The run's data: the names as symbols, their parts, padded batches."""
    found = name_list.read(config.data, given, progress)
    tokenizer = assets if assets and not extend else fit_tokenizer(found, assets)
    symbols = encode(found, tokenizer)
    held = found.split(config.data)
    rows = held.train

    def make(chosen: Rows) -> Batch:
        return symbols.batch(rows[chosen])

    return Prepared(
        config=dataclasses.replace(config, model=resolve(config.model)),
        assets=tokenizer,
        train=PaddedBatches(
            symbols.lengths(rows), config.training.batch_size, streams.order, make, pool=1
        ),
        valid=Part(symbols, held.valid) if len(held.valid) else None,
        sources=found.sources,
        notes=(*found.notes, *held.notes),
        facts={
            CONTEXT: END,
            STOP: END,
            "symbols": tokenizer.vocab_size,
            "train_names": len(rows),
            "valid_names": len(held.valid),
            "test_names": len(held.test),
            **({CLASSES: start.labels(list(tokenizer.special))} if tokenizer.special else {}),
        },
    )
