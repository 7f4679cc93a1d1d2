"""The text that a language model was trained on, read again for `sample --report`. No torch.

A run records which files it was given, their hashes, and how many of their first tokens were
trained on; held-out files are not among those given.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from recurra import store
from recurra.data import builtin
from recurra.errors import DataError
from recurra.text import files
from recurra.text.reading import chunks
from recurra.text.tokenizers import Tokenizer


def training_text(folder: Path, tokenizer: Tokenizer) -> Iterator[str]:
    """The training part in pieces; DataError where its text is gone or is no longer the same."""
    record = store.read_record(folder)
    left = record.facts.get("train_tokens")
    for text in _whole(folder, record):
        if not isinstance(left, int):
            yield text
            continue
        ids = tokenizer.encode(text)
        if ids.size >= left:
            yield tokenizer.decode(ids[:left])
            return
        yield text
        left -= ids.size


def _whole(folder: Path, record: store.RunRecord) -> Iterable[str]:
    if not record.given:
        text, source = builtin.text()
        _check(folder, record, {source.sha256})
        return [text]
    if "-" in record.given:
        raise DataError(f"{folder} was trained on standard input: --report needs the text again.")
    paths = files.expand(record.given)
    _check(folder, record, {files.describe(path).sha256 for path in paths})
    data = record.config.get("data", {})
    return chunks(paths, data.get("encoding"), raw=data.get("tokens") == "byte")


def _check(folder: Path, record: store.RunRecord, now: set[str]) -> None:
    if not now <= {file["sha256"] for file in record.files}:
        raise DataError(
            f"the text of {folder} has changed since training: --report needs it as it was."
        )
