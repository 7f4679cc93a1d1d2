"""The cells of tables, .csv and .tsv, and what is wrong with one.

What a column is for is the caller's.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

from recurra.errors import DataError
from recurra.results import counted

ENDINGS = (".csv", ".tsv")


class _Tabs(csv.excel_tab):
    quoting = csv.QUOTE_NONE


def rows(text: str, ending: str, shown: str) -> Iterator[tuple[list[str], int]]:
    """The cells of each row of a table, the header's first, and its line; none for a blank line.

    ending: .csv or .tsv; shown: what an error calls the table. Raises DataError with the line for a
    row of more or fewer cells than the header, and for quotes that are not CSV's.
    """
    # what a tab separates needs no quotes
    dialect = csv.excel if ending == ".csv" else _Tabs
    reader = csv.reader(io.StringIO(text, newline=""), dialect, strict=True)
    size: int | None = None  # of the header
    begins = 1  # the line where the row that is read does
    try:
        for row in reader:
            size = len(row) if size is None else size
            if row and len(row) != size:
                raise DataError(
                    f"{shown}, line {reader.line_num}: {counted(len(row), 'cell')}, and the header "
                    f"has {size}."
                )
            yield row, reader.line_num
            begins = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{shown}, {_no_table(error, begins, reader.line_num)}") from None


def other_separator(header: Sequence[str], ending: str) -> str:
    """' Its header is …' where a table of one column seems to have another separator; or ''.

    ending: .csv, whose one cell may be in quotes and have commas in it, or .tsv.
    """
    for mark, name in {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}.items():
        if len(header) == 1 and mark in header[0] and (mark, ending) != (",", ".csv"):
            read = "a .csv is read with commas between its cells, a .tsv with tabs"
            return f" Its header is {header[0]!r}, with {name}: {read}. Save it so."
    return ""


def require_once(wanted: Iterable[str], header: Sequence[str], shown: str) -> None:
    """DataError where a wanted column stands twice in a header: which is meant cannot be known."""
    for name in wanted:
        if (count := header.count(name)) > 1:
            raise DataError(
                f"{shown} has {count} columns {name!r}: give all but one of them another name."
            )


def _no_table(error: csv.Error, begins: int, line: int) -> str:
    """The line and what is wrong in it; the row there may have begun in an earlier one."""
    if "unexpected end" in str(error):  # the reader has gone on to the file's last line
        return f"line {begins}: a quoted cell of the row that begins here is never closed."
    if "field larger" not in str(error):
        row = "" if begins == line else f" (the row begins in line {begins})"
        return f"line {line}: {error}{row}."
    return (
        f"line {begins}: a cell of more than {csv.field_size_limit():,} characters, the most that "
        "is read. Is a quote never closed? Longer texts go into JSON lines (.jsonl)."
    )
