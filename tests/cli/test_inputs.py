"""Examples from arguments, files and lines, for any task's Input."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import pytest

from recurra.cli import inputs
from recurra.errors import ConfigError, DataError


@dataclass(frozen=True)
class Pair:
    image: str
    count: int


@dataclass(frozen=True)
class One:
    text: str


def test_arguments_are_read_in_groups_of_the_fields() -> None:
    found = inputs.from_arguments(Pair, ["a.png", "1", "b.png", "2"])
    assert found == ([Pair("a.png", 1), Pair("b.png", 2)], 0)


def test_an_odd_number_of_arguments_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        inputs.from_arguments(Pair, ["a.png", "1", "b.png"])
    assert str(caught.value) == (
        "an input here is 2 arguments (IMAGE COUNT), so 3 arguments are not a whole number of "
        "inputs."
    )


@pytest.mark.parametrize(
    ("name", "text", "blank"),
    [
        ("a.jsonl", '{"image": "a, b", "count": 1}\n\n{"count": 2, "image": "c"}\n', 1),
        ("a.csv", 'count,image,more\n\n1,"a, b",x\n\n2,c,y\n', 2),
        ("a.tsv", "image\tcount\na, b\t1\nc\t2\n", 0),
    ],
)
def test_files_are_read_by_field_name_and_blank_lines_counted(
    tmp_path: Path, name: str, text: str, blank: int
) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    assert inputs.from_file(Pair, path) == ([Pair("a, b", 1), Pair("c", 2)], blank)


def test_any_other_file_is_an_input_a_line_and_blank_lines_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "lines.txt"
    path.write_bytes("first, é\r\n\n \r\nsecond".encode())
    assert inputs.from_file(One, path) == ([One("first, é"), One("second")], 2)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "image,number\n", "has no column 'count'. Its header must name image, count."),
        ("a.csv", "", "has no column 'image'. Its header must name image, count."),
        ("a.csv", "image,count\na\n", "line 2: fewer cells than the header has."),
        ("a.csv", "image,count\na,many\n", "line 2: count 'many' is not a number."),
        ("a.jsonl", "\n{oops\n", "line 2 is not JSON"),
        ("a.txt", "x\n", "an input here is image, count; give JSON lines, CSV or TSV"),
    ],
)
def test_a_file_that_cannot_be_read_says_where(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        inputs.from_file(Pair, path)
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)


def test_json_values_are_checked_against_the_fields_types(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"image": "a", "count": "1"}\n')
    with pytest.raises(ConfigError, match=r"line 1\.count = '1': must be int, not str\.$"):
        inputs.from_file(Pair, path)


def test_a_file_that_is_missing_or_not_text_is_refused(tmp_path: Path) -> None:
    missing = tmp_path / "no.csv"
    with pytest.raises(DataError) as caught:
        inputs.from_file(One, missing)
    assert str(caught.value) == f"cannot read {missing}: No such file or directory."
    binary = tmp_path / "b.txt"
    binary.write_bytes(b"ab\xff\xfe")
    with pytest.raises(DataError, match=r"is not UTF-8 text: byte 0xff \(invalid start"):
        inputs.from_file(One, binary)


def stdin(data: bytes) -> io.TextIOWrapper:
    """A standard input that holds the bytes."""
    return io.TextIOWrapper(io.BytesIO(data), encoding="ascii")


def test_standard_input_is_lines_or_json_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", stdin("first, é\r\n\nsec\u2028ond\n".encode()))
    assert inputs.from_stdin(One) == ([One("first, é"), One("sec\u2028ond")], 1)
    monkeypatch.setattr("sys.stdin", stdin(b'{"image": "a", "count": 3}\n'))
    assert inputs.from_stdin(Pair) == ([Pair("a", 3)], 0)
    monkeypatch.setattr("sys.stdin", stdin(b""))
    assert inputs.from_stdin(One) == ([], 0)


def test_standard_input_that_is_not_text_or_is_closed_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdin", stdin(b"ab\xff"))
    with pytest.raises(DataError) as caught:
        inputs.stdin_text()
    assert str(caught.value) == (
        "standard input is not UTF-8 text: byte 0xff at offset 2 (invalid start byte)."
    )
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(DataError, match="standard input is closed"):
        inputs.stdin_text()


def test_a_table_that_is_none_and_json_too_deep_are_refused(tmp_path: Path) -> None:
    table = tmp_path / "a.csv"
    table.write_text("image,count\n" + "x" * 200_000 + ",1\n")  # Python's limit is 131,072
    with pytest.raises(DataError) as caught:
        inputs.from_file(Pair, table)
    assert str(caught.value) == (
        f"{table} is not a table: a cell of more than 131,072 characters, the most that is read. "
        "Is a quote never closed? Longer texts go into JSON lines (.jsonl)."
    )
    deep = tmp_path / "a.jsonl"
    deep.write_text("[" * 100_000)
    with pytest.raises(DataError, match="line 1 is not JSON"):
        inputs.from_file(Pair, deep)
