"""The figures of a names run: every name of a part once, its stop symbol counted; on NumPy.

A held-out name that was trained on, too, is easy. Beside the whole part, which published figures
are over, stands the figure over the names that are new.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import repeat
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recurra import store
from recurra.config import from_json
from recurra.data import name_list
from recurra.data.holdout import part_to_evaluate
from recurra.data.name_list import NameList
from recurra.data.padded import Rows, batches_by_length
from recurra.data.same import require_readable, require_same
from recurra.errors import DataError
from recurra.results import Evaluation
from recurra.runtime import LanguageModel
from recurra.tasks.names.config import Config, Evaluating
from recurra.tasks.names.data import Symbols, encode

AT_ONCE = 256  # names read side by side


def evaluate(folder: Path, files: Sequence[str], asked: Evaluating) -> Evaluation:
    """Nats, bits and perplexity a token of the run in `folder` on a part of its own names.

    With `files`, on all of their names instead. Raises DataError where that part does not exist.
    """
    model = LanguageModel.open(folder)
    config = read_config(folder)
    notes: tuple[str, ...] = ()
    if files:
        found = name_list.read(config.data, files)
        rows, old, what = np.arange(len(found.names)), None, f"all of {', '.join(files)}"
    else:
        found = own_names(folder, config)
        rows, old, what, notes = _part(folder, found, config, asked.split)
    symbols = encode(found, model.tokenizer)
    nats, tokens = nats_of(model, symbols, rows), symbols.lengths(rows)
    mean = math.fsum(nats) / int(tokens.sum())
    figures = {
        "nats_per_token_with_stop": mean,
        "bits_per_token_with_stop": mean / math.log(2),
        "perplexity_with_stop": math.exp(min(mean, 700.0)),
        "nats_per_name": math.fsum(nats) / len(rows),
    }
    if old is not None:
        entries = list(zip(found.names, found.labels or repeat(""), strict=False))
        known = {entries[row] for row in old}
        new = np.array([entries[row] not in known for row in rows])
        figures["share_of_names_trained_on"] = 1 - float(new.mean())
        if 0 < new.sum() < len(rows):
            figures["nats_per_token_with_stop_new_names"] = float(nats[new].sum()) / int(
                tokens[new].sum()
            )
    return Evaluation(figures, what, int(tokens.sum()), notes)


def read_config(folder: Path) -> Config:
    """The settings of the run in `folder`; ConfigError where they are damaged."""
    record = store.read_record(folder)
    return from_json(Config, record.config, f"{folder / store.CONFIG}: config")


def own_names(folder: Path, config: Config) -> NameList:
    """The names of the run in `folder`; DataError where they are gone or are others now."""
    record = store.read_record(folder)
    require_readable(folder, record.given)
    found = name_list.read(config.data, record.given)
    require_same(folder, record.files, found.sources)
    return found


def nats_of(model: LanguageModel, symbols: Symbols, rows: Rows) -> NDArray[np.float64]:
    """−ln p of each of these names with its stop symbol, each from the initial state."""
    nats = np.empty(len(rows))
    for chosen in batches_by_length(symbols.lengths(rows), AT_ONCE):
        batch = symbols.batch(rows[chosen])
        each, _ = model.nats(batch.inputs, batch.targets, model.initial_state(len(chosen)))
        nats[chosen] = np.where(batch.mask, each, 0.0).sum(axis=0)  # (B,)
    return nats


def _part(
    folder: Path, found: NameList, config: Config, split: str
) -> tuple[Rows, Rows | None, str, tuple[str, ...]]:
    """(the part's names, those trained on where it is held out, what it is in words, notes)."""
    held = found.split(config.data)
    there = [name for name in ("train", "valid", "test") if len(getattr(held, name))]
    split, notes = part_to_evaluate(split, there)
    if split == "all":
        return np.arange(len(found.names)), None, "all names", notes
    rows: Rows = getattr(held, split)
    if not len(rows):
        raise DataError(f"{folder} has no {split} part: nothing was held out for it.")
    return rows, None if split == "train" else held.train, f"the {split} part", notes
