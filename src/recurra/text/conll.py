"""Sentences, tagged or not, from column files: a word a line, a blank line between sentences.

Two forms are read. CoNLL-U, known by its first row (in a .conllu file by any row, or by a number
that the first begins with): ten columns between tabs, comments from a #, lines of several words
(1-2) and empty words (1.1) passed over.
CoNLL: any number of columns, between tabs where a line has one and else between blanks; a
-DOCSTART- line begins a document and is no word. What tags mean is not known here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeVar

from recurra.errors import ConfigError, DataError, did_you_mean
from recurra.results import counted
from recurra.text.files import told
from recurra.text.reading import read_text

T = TypeVar("T")

UD_COLUMNS = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
UD_ENDING = ".conllu"
DOCUMENT = "-DOCSTART-"

_UD_LINE = re.compile(r"\d+([-.]\d+)?\t([^\t]*\t){8}[^\t]*")
_UD_START = re.compile(r"\d+([-.]\d+)?\t")


class Sentence(NamedTuple):
    """Words and their tags, as many of the one as of the other."""

    words: tuple[str, ...]
    tags: tuple[str, ...]


def read(
    path: Path, word: str | None = None, tag: str | None = None, encoding: str | None = None
) -> list[Sentence]:
    """The sentences of a file, none of them empty.

    word, tag: the columns to take, by number (1 the first, -1 the last) or by CoNLL-U's name;
    None: form and upos in CoNLL-U, the first and the last in CoNLL. encoding: as `read_text`.

    Raises DataError naming file and line where a column is not there, where a line has more or
    fewer columns than its sentence's first (its last one would be another) or than CoNLL-U, and
    where there is no word; ConfigError for a name that is no column.
    """
    rows, universal = _rows(path, encoding)
    take = _word_column(word, universal), _column(tag or ("upos" if universal else "-1"), universal)
    found = [
        Sentence(*(tuple(column) for column in zip(*sentence, strict=True)))
        for sentence in _sentences(_taken(path, number, row, take) for number, row in rows)
    ]
    if not found:
        raise DataError(f"{told(path)} has no tagged word in it.")
    return found


def words(
    path: Path, word: str | None = None, encoding: str | None = None
) -> list[tuple[str, ...]]:
    """The words alone of a file's sentences, none of them empty: it needs no column of tags.

    The arguments and what is raised are as those of `read`.
    """
    rows, universal = _rows(path, encoding)
    column = _word_column(word, universal)
    found = [
        tuple(sentence)
        for sentence in _sentences(_word(path, number, row, column) for number, row in rows)
    ]
    if not found:
        raise DataError(f"{told(path)} has no word in it.")
    return found


def _rows(path: Path, encoding: str | None) -> tuple[Iterator[tuple[int, list[str]]], bool]:
    """(each line's number and columns, none where a sentence ends; whether it is CoNLL-U)."""
    lines = read_text(path, encoding).split("\n")
    rows = (line.rstrip("\r") for line in lines if line.strip() and not line.startswith("#"))
    first = next(rows, "")
    universal = _UD_LINE.fullmatch(first) is not None
    if path.suffix.lower() == UD_ENDING:  # rows that are broken are to be told, too
        universal = _UD_START.match(first) is not None or any(map(_UD_LINE.fullmatch, rows))
    if universal:
        return _ten(path, _universal_rows(lines)), True
    return _even(path, _plain_rows(lines)), False


def _sentences(rows: Iterable[T | None]) -> Iterator[list[T]]:
    """What was taken of each sentence's rows; None ends one."""
    sentence: list[T] = []
    for taken in rows:
        if taken is not None:
            sentence.append(taken)
        elif sentence:
            yield sentence
            sentence = []
    if sentence:
        yield sentence


def _universal_rows(lines: list[str]) -> Iterator[tuple[int, list[str]]]:
    inside = False  # a sentence: a word may be a #, a comment stands before the first word
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            inside = False
            yield number, []
        elif inside or not line.startswith("#"):
            inside = True
            row = line.rstrip("\r").split("\t")
            if re.fullmatch(r"\d+[-.]\d+", row[0]) is None:
                yield number, row


def _plain_rows(lines: list[str]) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(lines, start=1):
        text = line.rstrip("\r")
        row = text.split("\t") if "\t" in text else text.split()
        yield number, [] if not text.strip() or row[0] == DOCUMENT else row


def _ten(path: Path, rows: Iterator[tuple[int, list[str]]]) -> Iterator[tuple[int, list[str]]]:
    """The rows, each of the columns of CoNLL-U."""
    advice = ""
    if path.suffix.lower() == UD_ENDING:
        advice = " Plain columns go into a file called .conll."
    for number, row in rows:
        if row and len(row) != len(UD_COLUMNS):
            raise DataError(
                f"{told(path)}, line {number}: {counted(len(row), 'column')} between tabs, and "
                f"CoNLL-U has {len(UD_COLUMNS)}.{advice}"
            )
        yield number, row


def _even(path: Path, rows: Iterator[tuple[int, list[str]]]) -> Iterator[tuple[int, list[str]]]:
    """The rows, each of as many columns as its sentence's first; those of one are told later."""
    size = 0
    for number, row in rows:
        size = (size or len(row)) if row else 0
        if len(row) > 1 and len(row) != size:
            raise DataError(
                f"{told(path)}, line {number}: {len(row)} columns, and {size} in its sentence's "
                "first line."
            )
        yield number, row


def _taken(
    path: Path, number: int, row: list[str], columns: tuple[int, int]
) -> tuple[str, str] | None:
    """A row's word and tag, None where a sentence ends."""
    if not row:
        return None
    word, tag = (row[column] if -len(row) <= column < len(row) else "" for column in columns)
    tag = tag.strip()  # between tabs a blank at a line's end is part of the cell
    if len(row) > 1 and all(-len(row) <= column < len(row) for column in columns):
        for what, cell, column in zip(("word", "tag"), (word, tag), columns, strict=True):
            if not cell:
                where = f"{told(path)}, line {number}"
                raise DataError(f"{where}: the {what} is missing, {_shown(column)} is empty.")
    if len(row) < 2 or not word or not tag:
        raise DataError(
            f"{told(path)}, line {number}: no word and tag in {_shown(columns[0])} and "
            f"{_shown(columns[1])}: it has {counted(len(row), 'column')}. Say which with "
            "--word-column and --tag-column."
        )
    return word, tag


def _word(path: Path, number: int, row: list[str], column: int) -> str | None:
    """A row's word, None where a sentence ends."""
    if not row:
        return None
    if not -len(row) <= column < len(row) or not row[column]:
        raise DataError(
            f"{told(path)}, line {number}: no word in {_shown(column)}, from which this run reads "
            f"them: it has {counted(len(row), 'column')}."
        )
    return row[column]


def _shown(column: int) -> str:
    return "the last column" if column == -1 else f"column {column + (column >= 0)}"


def _word_column(name: str | None, universal: bool) -> int:
    return _column(name or ("form" if universal else "1"), universal)


def _column(name: str, universal: bool) -> int:
    """The index of a column from its number or its name."""
    if re.fullmatch(r"-?[1-9]\d{0,3}", name):
        number = int(name)
        return number - 1 if number > 0 else number
    if universal and name in UD_COLUMNS:
        return UD_COLUMNS.index(name)
    if universal:
        near = did_you_mean(name, UD_COLUMNS)
        raise ConfigError(f"{name!r} is no column of CoNLL-U: {', '.join(UD_COLUMNS)}.{near}")
    raise ConfigError(f"column {name!r}: give its number, 1 for the first or -1 for the last.")
