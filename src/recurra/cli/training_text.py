"""What a language model was trained on, read again for `sample --report`. No torch.

A run records which files it was given, their hashes, and how many of their first tokens were
trained on; held-out files are not among those given.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from recurra import store
from recurra.config import from_json
from recurra.data import builtin, name_list
from recurra.data.name_list import NameData
from recurra.data.same import require_readable
from recurra.errors import DataError, RunError
from recurra.text import files
from recurra.text.reading import chunks
from recurra.text.tokenizers import Tokenizer


def training_text(folder: Path, tokenizer: Tokenizer) -> Iterator[str]:
    """The training part in pieces, its text checked before the first is asked for.

    Raises DataError where the text is gone, is no longer the same or was standard input.
    """
    record = store.read_record(folder)
    return _first(_whole(folder, record), record.facts.get("train_tokens"), tokenizer)


def training_names(folder: Path) -> list[str]:
    """The training part of a run on a list of names; DataError as `training_text`."""
    record = store.read_record(folder)
    _require_files(folder, record)
    where = f"{folder / store.CONFIG}: config.data"
    data = from_json(NameData, record.config.get("data"), where)
    found = name_list.read(data, record.given)
    _check(folder, record, [source.sha256 for source in found.sources])
    return [found.names[row] for row in found.split(data).train]


def _first(texts: Iterable[str], left: object, tokenizer: Tokenizer) -> Iterator[str]:
    """The texts up to their first `left` tokens; all of them where that is no number."""
    for text in texts:
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
        _check(folder, record, [source.sha256])
        return [text]
    _require_files(folder, record)
    encoding, raw = _settings(folder, record)
    paths = files.expand(record.given)
    _check(folder, record, [files.describe(path).sha256 for path in paths])
    return chunks(paths, encoding, raw=raw)


def _require_files(folder: Path, record: store.RunRecord) -> None:
    if "-" in record.given:
        raise DataError(
            f"{folder} was trained on standard input, which is not kept: --report needs the text. "
            "Leave --report out, or train on a file."
        )
    require_readable(folder, record.given)


def _settings(folder: Path, record: store.RunRecord) -> tuple[str | None, bool]:
    """(the files' encoding, whether they are read as bytes)."""
    data = record.config.get("data")
    where = f"{folder / store.CONFIG}: config.data"
    if not isinstance(data, dict):
        raise RunError(f"{where} must be a table of settings, not {type(data).__name__}.")
    encoding = data.get("encoding")
    if encoding is not None and not isinstance(encoding, str):
        raise RunError(f"{where}.encoding must be str or none, not {type(encoding).__name__}.")
    return encoding, data.get("tokens") == "byte"


def _check(folder: Path, record: store.RunRecord, now: Sequence[str]) -> None:
    """The files given come first among those recorded; held-out files stand behind them."""
    if now != [file["sha256"] for file in record.files[: len(now)]]:
        raise DataError(
            f"the text of {folder} has changed since training: --report needs it as it was."
        )
