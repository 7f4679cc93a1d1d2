"""Labelled texts from tables, JSON lines, lines of a stated form, a file or a folder a class.

Sequences of vectors are read by vectors.py, idx.py and images.py, into the same `Examples`. Nothing
here knows what is done with a text or a label. An example without anything to read is left out and
counted; whatever else is wrong with a file is an error that names the file and the line.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from recurra.data import tables
from recurra.data.line_form import LineForm
from recurra.errors import DataError, FlagError, did_you_mean
from recurra.results import counted
from recurra.text.files import told
from recurra.text.reading import read_text

JSON_LINES = (".jsonl", ".ndjson")

Row: TypeAlias = tuple[Mapping[str, Any] | None, int]


@dataclass(frozen=True)
class Examples:
    """Inputs with their labels, and where each was read."""

    inputs: list[Any]  # texts, or arrays (its length, I)
    labels: list[str]  # one an input; empty where none were asked for
    places: list[str]  # one an input: 'names.tsv, line 3'
    files: tuple[Path, ...]  # all that was read, in order
    left_out: int = 0  # examples without anything to read
    beside: int = 0  # files beside the folders of a class, which are of none

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was found and is not among the examples."""
        notes = []
        if self.left_out:
            notes.append(f"left out: {counted(self.left_out, 'example')} with nothing to read.")
        if self.beside:
            what = counted(self.beside, "file")
            notes.append(f"left out: {what} beside the folders that are a class each.")
        return tuple(notes)

    def take(self, rows: Iterable[int]) -> Examples:
        """The examples with these numbers."""
        rows = list(rows)
        return Examples(
            [self.inputs[row] for row in rows],
            [self.labels[row] for row in rows],
            [self.places[row] for row in rows],
            self.files,
        )


@dataclass(frozen=True)
class Columns:
    """Where text and label stand in a file."""

    text: str = "text"
    label: str = "label"
    line: str | None = None  # the form of a line, for files without a header
    encoding: str | None = None  # None: UTF-8, or UTF-16 with its mark
    takes_line: bool = True  # whether --line can be asked for; else no message advises it

    @property
    def needed(self) -> tuple[str, str]:
        """The columns that must be there."""
        return self.text, self.label


def join(parts: Sequence[Examples]) -> Examples:
    """All of the parts in order, as one."""
    return Examples(
        [one for part in parts for one in part.inputs],
        [one for part in parts for one in part.labels],
        [one for part in parts for one in part.places],
        tuple(path for part in parts for path in part.files),
        sum(part.left_out for part in parts),
        sum(part.beside for part in parts),
    )


def is_rows(path: Path, columns: Columns) -> bool:
    """Whether each row or line of the file brings its own label."""
    return columns.line is not None or path.suffix.lower() in (*tables.ENDINGS, *JSON_LINES)


def from_rows(path: Path, columns: Columns) -> Examples:
    """A row an example: CSV and TSV with a header, JSON lines, or lines of the stated form.

    A blank line and a row whose text is blank are left out and counted.

    CSV may quote cells as RFC 4180 says; in TSV a quote is a character like any other. Raises
    DataError naming file and line for a missing column, a row with more or fewer cells than the
    header, a cell that is no text, and a label that is empty.
    """
    text, shown = read_text(path, columns.encoding), told(path)
    kept: tuple[list[str], list[str], list[str]] = ([], [], [])
    left_out = 0
    for row, number in _rows(path, text.removesuffix("\n"), columns):
        if row is None:
            left_out += 1
            continue
        where = f"{shown}, line {number}"
        read, label = _text(row, columns.text, where), _label(row, columns.label, where)
        if not label:
            raise DataError(f"{where}: the label is empty.")
        if not read.strip():
            left_out += 1
            continue
        for column, value in zip(kept, (read, label, where), strict=True):
            column.append(value)
    return Examples(*kept, (path,), left_out)


def class_names(paths: Sequence[Path], known: Collection[str] = ()) -> list[str]:
    """The label of each file of a file a class: its name without the ending.

    Where two files share that name the ending is the label (rt-polarity.neg, rt-polarity.pos).
    Where labels are `known`, each file's is its name if that is one of them, else its ending if
    that is; and several files may be of one class.
    """
    names = [path.stem for path in paths]
    endings = [path.suffix.removeprefix(".") or path.name for path in paths]
    if known:
        return [
            ending if name not in known and ending in known else name
            for name, ending in zip(names, endings, strict=True)
        ]
    shared = [path for path in paths if names.count(path.stem) > 1]
    if shared and len(set(endings)) < len(endings):
        one, other, *_ = (told(path) for path in shared if path.stem == shared[0].stem)
        raise DataError(f"{one} and {other} share a name: a class would have two files.")
    return endings if shared else names


def from_class_files(
    paths: Sequence[Path], encoding: str | None, known: Collection[str] = ()
) -> Examples:
    """A line an example, its label that of `class_names`. Empty lines are left out and counted."""
    parts = []
    for path, label in zip(paths, class_names(paths, known), strict=True):
        lines, shown = read_text(path, encoding).removesuffix("\n").split("\n"), told(path)
        full = [
            (line.rstrip("\r"), f"{shown}, line {number}")
            for number, line in enumerate(lines, start=1)
            if line.strip()
        ]
        texts, places = [text for text, _ in full], [place for _, place in full]
        parts.append(Examples(texts, [label] * len(full), places, (path,), len(lines) - len(full)))
    return join(parts)


def from_class_folders(folders: Mapping[str, Sequence[Path]], encoding: str | None) -> Examples:
    """A file an example, its label the name of its folder."""
    parts = []
    for label, paths in folders.items():
        for path in paths:
            text = read_text(path, encoding).strip("\r\n")
            kept = bool(text.strip())
            found = ([text], [label], [str(path)]) if kept else ([], [], [])
            parts.append(Examples(*found, (path,), int(not kept)))
    return join(parts)


def _rows(path: Path, text: str, columns: Columns) -> Iterator[Row]:
    """Each row by column name, None where it is blank, and its line."""
    if columns.line is None and path.suffix.lower() not in JSON_LINES:
        yield from _table(path, text, columns)
        return
    form = None if columns.line is None else LineForm(columns.line, columns.needed)
    shown = told(path)
    for number, line in enumerate(text.split("\n"), start=1):
        where = f"{shown}, line {number}"
        if not line.strip():
            yield None, number
        elif form is not None:
            yield form.fields(line.rstrip("\r"), where), number
        else:
            yield _json(line, columns, where), number


def _table(path: Path, text: str, columns: Columns) -> Iterator[Row]:
    rows = tables.rows(text, path.suffix.lower(), told(path))
    header, _ = next(rows, ([], 0))
    hint = tables.other_separator(header, path.suffix.lower())
    _require_columns(header, columns, told(path), takes_line=columns.takes_line, hint=hint)
    tables.require_once(columns.needed, header, told(path))
    for row, number in rows:
        yield dict(zip(header, row, strict=True)) if row else None, number


def json_kind(value: object) -> str:
    """What a JSON value is, in words."""
    kinds = {type(None): "null", bool: "true or false", str: "text", list: "a list"}
    return kinds.get(type(value), "an object" if isinstance(value, dict) else "a number")


def _json(line: str, columns: Columns, where: str) -> Mapping[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where} is not JSON: {error}.") from None
    if not isinstance(row, dict):
        raise DataError(
            f"{where} is {json_kind(row)}, and must be an object with "
            f"{' and '.join(columns.needed)}."
        )
    _require_columns(list(row), columns, where, takes_line=False)
    return row


def _require_columns(
    found: Sequence[str], columns: Columns, where: str, *, takes_line: bool, hint: str = ""
) -> None:
    line = "; or say how a line without a header is written: --line '{text}\\t{label}'"
    for name in columns.needed:
        if name not in found:
            if hint:
                raise DataError(f"{where} has no column {name!r}.{hint}")
            raise FlagError(
                f"{where} has no column {name!r}. It has: {', '.join(found) or 'none'}."
                f"{did_you_mean(name, found)}",
                f"Name it: --text-column, --label-column{line if takes_line else ''}.",
            )


def _text(row: Mapping[str, Any], name: str, where: str) -> str:
    value = row[name]
    if not isinstance(value, str):
        raise DataError(f"{where}: {name} must be text, not {json_kind(value)}.")
    return value


def _label(row: Mapping[str, Any], name: str, where: str) -> str:
    value = row[name]
    if type(value) is int:  # JSON: a class may be a number
        return str(value)
    if not isinstance(value, str):
        raise DataError(f"{where}: {name} must be text or a whole number, not {json_kind(value)}.")
    return value.strip()
