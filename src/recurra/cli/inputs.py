"""Examples for `predict`: any task's Input from arguments, from files by field name, from lines.

What a field means is the task's; here it is a name and a type, text or a number.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_type_hints

from recurra.config import from_json
from recurra.data.examples import no_table
from recurra.errors import ConfigError, DataError

SEPARATORS = {".csv": ",", ".tsv": "\t"}


class Given(NamedTuple):
    """Examples, and how many blank lines between them were left out."""

    examples: list[Any]
    blank: int = 0


def from_arguments(kind: type[Any], words: Sequence[str]) -> Given:
    """Examples from arguments in groups of the Input's fields; ConfigError for an odd number."""
    names = _names(kind)
    if len(words) % len(names):
        wanted = " ".join(name.upper() for name in names)
        raise ConfigError(
            f"an input here is {len(names)} arguments ({wanted}), so {len(words)} arguments "
            "are not a whole number of inputs."
        )
    groups = (words[start : start + len(names)] for start in range(0, len(words), len(names)))
    return Given(
        [_example(kind, dict(zip(names, group, strict=True)), "the arguments") for group in groups]
    )


def from_file(kind: type[Any], path: Path) -> Given:
    """Examples from JSON lines, CSV or TSV with a header, or any other text a line each."""
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            if path.suffix in SEPARATORS:
                return _counted(_table(kind, lines, SEPARATORS[path.suffix], str(path)))
            return _counted(_lines(kind, lines, str(path), json_lines=path.suffix == ".jsonl"))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise DataError(f"{path} is not UTF-8 text: byte 0x{byte:02x} ({error.reason}).") from None
    except csv.Error as error:
        raise DataError(f"{path} is not a table: {no_table(error)}") from None


def from_stdin(kind: type[Any]) -> Given:
    """Examples from standard input: JSON lines where the first begins with {, else a line each."""
    text = stdin_text()
    json_lines = text.lstrip().startswith("{")
    lines = text.removesuffix("\n").split("\n") if text else []
    return _counted(_lines(kind, lines, "standard input", json_lines))


def stdin_text() -> str:
    """All of standard input, its line ends as they are; DataError where it is not UTF-8 text."""
    if sys.stdin is None:  # `<&-` closed it
        raise DataError("standard input is closed: there is nothing to read.")
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"standard input cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise DataError(
            f"standard input is not UTF-8 text: byte 0x{byte:02x} at offset {error.start:,} "
            f"({error.reason})."
        ) from None


def _counted(found: Iterable[Any]) -> Given:
    every = list(found)
    kept = [one for one in every if one is not None]
    return Given(kept, len(every) - len(kept))


def _table(kind: type[Any], lines: Iterable[str], separator: str, where: str) -> Iterator[Any]:
    """An example a row, None for a blank line."""
    # what a tab separates needs no quotes: a quote is a character there
    quoting: Literal[0, 3] = csv.QUOTE_NONE if separator == "\t" else csv.QUOTE_MINIMAL
    rows = csv.reader(lines, delimiter=separator, quoting=quoting)
    header, names = next(rows, []), _names(kind)
    if missing := [name for name in names if name not in header]:
        raise DataError(
            f"{where} has no column {missing[0]!r}. Its header must name {', '.join(names)}."
        )
    for row in rows:
        here = f"{where}, line {rows.line_num}"
        if not row:
            yield None
            continue
        if len(row) < len(header):
            raise DataError(f"{here}: fewer cells than the header has.")
        yield _example(kind, {name: row[header.index(name)] for name in names}, here)


def _lines(kind: type[Any], lines: Iterable[str], where: str, json_lines: bool) -> Iterator[Any]:
    """An example a line, None for a blank one."""
    names = _names(kind)
    if not json_lines and len(names) > 1:
        raise DataError(
            f"{where}: an input here is {', '.join(names)}; give JSON lines, CSV or TSV with them."
        )
    for number, line in enumerate(lines, start=1):
        if not (text := line.rstrip("\r\n")).strip():
            yield None
            continue
        here = f"{where}, line {number}"
        if not json_lines:
            yield _example(kind, {names[0]: text}, here)
            continue
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{here} is not JSON: {error}.") from None
        yield from_json(kind, values, here)


def _example(kind: type[Any], texts: Mapping[str, str], where: str) -> Any:
    """One example from text alone: numbers are read as the fields' types say."""
    hints = get_type_hints(kind)
    values: dict[str, Any] = {}
    for name, text in texts.items():
        try:
            values[name] = hints[name](text) if hints[name] in (int, float) else text
        except ValueError:
            raise DataError(f"{where}: {name} {text!r} is not a number.") from None
    return from_json(kind, values, where)


def _names(kind: type[Any]) -> list[str]:
    return [item.name for item in fields(kind)]
