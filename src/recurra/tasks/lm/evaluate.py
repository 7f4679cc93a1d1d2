"""The figures of a language model on a split, by the two protocols; on NumPy, as `score` is.

Perplexity counts the ends of lines and the unknown symbols, and their shares stand beside it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from recurra import store
from recurra.config import from_json
from recurra.data.holdout import part_to_evaluate
from recurra.data.same import require_own, require_same
from recurra.data.token_file import Array
from recurra.errors import DataError
from recurra.results import Evaluation, counted
from recurra.runtime import TOKENIZER, LanguageModel, scoring
from recurra.tasks.lm.config import Config, Evaluating
from recurra.tasks.lm.data import Corpus
from recurra.text.tokenizers import Tokenizer
from recurra.text.tokenizers import read as read_tokenizer


def evaluate(folder: Path, files: Sequence[str], asked: Evaluating) -> Evaluation:
    """Nats, bits and perplexity a token of the run in `folder` on a split of its own text.

    With `files`, on all of their text instead. With `asked.int8` also the nats with weights
    rounded to int8, and how many more those are. Raises DataError where that part does not exist.
    """
    model = LanguageModel.open(folder)
    ids, split, notes = split_tokens(folder, files, asked.split)
    protocol, nats, error, tokens = _read(model, ids, asked)
    figures = {f"nats_per_token_{protocol}": nats}
    if error is not None:
        figures[f"standard_error_{protocol}"] = error
    if asked.int8:
        rounded = _read(LanguageModel.open(folder, int8=True), ids, asked).nats_per_token
        figures[f"nats_per_token_{protocol}_int8"] = rounded
        figures[f"nats_lost_to_int8_{protocol}"] = rounded - nats
    figures |= {
        f"bits_per_token_{protocol}": nats / math.log(2),
        f"perplexity_{protocol}": math.exp(min(nats, 700.0)),
        **_shares(ids, model.tokenizer),
    }
    if asked.windows:
        drawn = f"{asked.window_count:,} random windows of {asked.windows:,} tokens in"
        split = f"{drawn} {split} ({counted(len(ids), 'token')})"
    return Evaluation(figures, split, tokens, notes)


class _Reading(NamedTuple):
    protocol: str
    nats_per_token: float
    standard_error: float | None
    tokens: int


def _read(model: LanguageModel, ids: Array, asked: Evaluating) -> _Reading:
    """What the model gives the tokens, by the protocol that is asked for."""
    if not asked.windows:
        stream = scoring.evaluate_stream(model, ids, context=model.context)
        return _Reading("stateful", stream.nats_per_token, None, stream.tokens)
    windows = scoring.evaluate_windows(
        model, ids, window=asked.windows, count=asked.window_count, seed=asked.seed
    )
    protocol = f"windows_{asked.windows}"
    return _Reading(protocol, windows.nats_per_token, windows.standard_error, windows.tokens)


def read_config(folder: Path) -> Config:
    """The settings of the run in `folder`; ConfigError where they are damaged."""
    record = store.read_record(folder)
    return from_json(Config, record.config, f"{folder / store.CONFIG}: config")


def split_tokens(
    folder: Path, files: Sequence[str], split: str
) -> tuple[Array, str, tuple[str, ...]]:
    """(the tokens that are asked for, what they are in words, notes)."""
    record, config = store.read_record(folder), read_config(folder)
    tokenizer = read_tokenizer(folder / TOKENIZER)
    if files:
        data = dataclasses.replace(config.data, valid_file=None, test_file=None)
        tokens, _ = Corpus.find(data, files).encoded(tokenizer)
        return tokens.ids, f"all of {', '.join(files)}", ()
    require_own(folder, record)
    corpus = Corpus.find(config.data, record.given)
    main, others = corpus.encoded(tokenizer)
    require_same(
        folder, record.files, [source for each in (main, *others) for source in each.sources]
    )
    parts = corpus.parts(main, others)
    there = [name for name in ("train", "valid", "test") if getattr(parts, name) is not None]
    split, notes = part_to_evaluate(split, there)
    part = main.ids if split == "all" else getattr(parts, split)
    if part is None:
        raise DataError(f"{folder} has no {split} part: nothing was held out for it.")
    return part, f"the {split} part" if split != "all" else "the whole text", notes


def _shares(ids: Array, tokenizer: Tokenizer) -> dict[str, float]:
    """Which shares of the tokens are ends of lines, of words, and unknown, where any can be."""
    shares = {}
    if tokenizer.kind == "word":
        shares["share_line_ends"] = float((ids == tokenizer.newline_id).mean())
    if tokenizer.unknown_id is not None:
        shares["share_unknown"] = float((ids == tokenizer.unknown_id).mean())
    return shares
