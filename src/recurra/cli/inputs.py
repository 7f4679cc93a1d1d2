"""Examples for `predict`: any task's Input from arguments, from files by field name, from lines.

What a field means is the task's; here it is a name and a type, text or a number.
"""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, get_type_hints

from recurra.config import from_json
from recurra.data import tables
from recurra.data.examples import JSON_LINES, json_kind
from recurra.errors import ConfigError, DataError, reading_as_trained
from recurra.text.reading import read_text

if TYPE_CHECKING:
    from recurra.task import InputForm


# of a field's type: what JSON may hold for it, and that in words
_JSON_KINDS: Mapping[type[Any], tuple[tuple[type[Any], ...], str]] = {
    str: ((str,), "text"),
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
}


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


def refuse_files(words: Sequence[str], instead: str) -> None:
    """ConfigError where a word that is text is also a file; `instead`: what to give for FILE."""
    for word in words:
        if is_file(word):
            advice = instead.replace("FILE", shlex.quote(word))
            raise ConfigError(
                f"{word!r} is a file, and an argument is read as the text itself: give {advice}. "
                "If it is the text, pipe it in with -."
            )


def is_file(word: str) -> bool:
    """Whether a file has this name; a text may be too long for a name, or hold a NUL."""
    try:
        return Path(word).is_file()
    except (OSError, ValueError):
        return False


def from_file(kind: type[Any], path: Path, form: InputForm) -> Given:
    """Examples of the task's own form by the file's ending; else as every task reads files.

    That is JSON lines, CSV or TSV with a header, or any other text a line each.
    """
    ending = path.suffix.lower()
    with reading_as_trained():
        if form.read is not None and ending in form.endings:
            return Given(*form.read(path))
        text = read_text(path, form.encoding)
    if ending in tables.ENDINGS:
        return _counted(_table(kind, text, path, form.columns))
    return _counted(_lines(kind, text, str(path), form.columns, json_lines=ending in JSON_LINES))


def from_stdin(kind: type[Any], form: InputForm) -> Given:
    """Examples from standard input: JSON lines where the first begins with {, else a line each."""
    text = stdin_text()
    json_lines = text.lstrip().startswith("{")
    return _counted(_lines(kind, text, "standard input", form.columns, json_lines))


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


def _table(kind: type[Any], text: str, path: Path, columns: Mapping[str, str]) -> Iterator[Any]:
    """An example a row below the header, None for a blank line."""
    where, ending = str(path), path.suffix.lower()
    rows = tables.rows(text, ending, where)
    (header, _), called = next(rows, ([], 0)), _called(kind, columns)
    if missing := [column for column in called.values() if column not in header]:
        names = f"Its header must name {', '.join(called.values())}"
        found = (
            tables.other_separator(header, ending)
            or f" {names}; it has {', '.join(header) or 'none'}."
        )
        raise DataError(f"{where} has no column {missing[0]!r}.{found}")
    tables.require_once(called.values(), header, where)
    places = {name: header.index(column) for name, column in called.items()}
    for row, number in rows:
        here = f"{where}, line {number}"
        texts = {name: row[place] for name, place in places.items()} if row else None
        yield None if texts is None else _example(kind, texts, here)


def _lines(
    kind: type[Any], text: str, where: str, columns: Mapping[str, str], json_lines: bool
) -> Iterator[Any]:
    """An example a line, None for a blank one."""
    names, called = _names(kind), _called(kind, columns)
    if not json_lines and len(names) > 1:
        raise DataError(
            f"{where}: an input here is {', '.join(names)}; give JSON lines, CSV or TSV with them."
        )
    for number, line in enumerate(text.removesuffix("\n").split("\n") if text else (), start=1):
        if not (given := line.rstrip("\r")).strip():
            yield None
            continue
        here = f"{where}, line {number}"
        if not json_lines:
            yield _example(kind, {names[0]: given}, here)
            continue
        yield from_json(kind, _fields(kind, given, called, here), here)


def _fields(kind: type[Any], line: str, called: Mapping[str, str], where: str) -> dict[str, Any]:
    """The fields in a line of JSON; what else stands there is passed over, as in a table."""
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where} is not JSON: {error}.") from None
    if not isinstance(values, dict):
        raise DataError(
            f"{where} is {json_kind(values)}, and must be an object with "
            f"{', '.join(called.values())}."
        )
    if missing := [column for column in called.values() if column not in values]:
        raise DataError(
            f"{where} has no {missing[0]!r}: it must hold {', '.join(called.values())}; it has "
            f"{', '.join(values) or 'none'}."
        )
    hints = get_type_hints(kind)
    for name, column in called.items():
        accepted, wanted = _JSON_KINDS[hints[name]]
        if type(values[column]) not in accepted:
            found = json_kind(values[column])
            raise DataError(f"{where}: {column} must be {wanted}, not {found}.")
    return {name: values[column] for name, column in called.items()}


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


def _called(kind: type[Any], columns: Mapping[str, str]) -> dict[str, str]:
    """What a file calls each field."""
    return {name: columns.get(name, name) for name in _names(kind)}


def _names(kind: type[Any]) -> list[str]:
    return [item.name for item in fields(kind)]
