"""Examples from arguments, files and lines, for any task's Input."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import pytest

from recurra.cli import inputs
from recurra.errors import ConfigError, DataError
from recurra.task import InputForm

FORM = InputForm()


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
    assert inputs.from_file(Pair, path, FORM) == ([Pair("a, b", 1), Pair("c", 2)], blank)


def test_a_table_with_another_separator_is_told_as_that(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text;count\nx;1\n")
    with pytest.raises(DataError, match=r"no column 'text'\. Its header is .*, with semicolons: a"):
        inputs.from_file(One, path, FORM)
    path.write_text("text\nx; y\n")
    assert inputs.from_file(One, path, FORM).examples == [One("x; y")]


def test_any_other_file_is_an_input_a_line_and_blank_lines_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "lines.txt"
    path.write_bytes("first, é\r\n\n \r\nsecond".encode())
    assert inputs.from_file(One, path, FORM) == ([One("first, é"), One("second")], 2)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "a.csv",
            "image,number\n",
            "has no column 'count'. Its header must name image, count; it has image, number.",
        ),
        ("a.csv", "", "has no column 'image'. Its header must name image, count; it has none."),
        ("a.csv", "image,count\na\n", "line 2: 1 cell, and the header has 2."),
        # a comma in a text without quotes: its rest is not to be lost
        ("a.csv", "image,count\na, b,1\n", "line 2: 3 cells, and the header has 2."),
        (
            "a.csv",
            'image,count\n"a,1\nb,2\n',
            "line 2: a quoted cell of the row that begins here is never closed.",
        ),
        ("a.csv", "count,image,count\n1,a,2\n", "has 2 columns 'count': give all but one of them"),
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
        inputs.from_file(Pair, path, FORM)
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ('{"name": "a", "count": "1"}', "count must be a whole number, not text"),
        ('{"name": "a", "count": true}', "count must be a whole number, not true or false"),
        ('{"name": 5, "count": 1}', "name must be text, not a number"),
        ('{"name": null, "count": 1}', "name must be text, not null"),
    ],
)
def test_json_of_another_kind_than_its_field_is_told_in_words(
    tmp_path: Path, row: str, message: str
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f"{row}\n")
    with pytest.raises(DataError) as caught:
        inputs.from_file(Pair, path, InputForm(columns={"image": "name"}))
    assert str(caught.value) == f"{path}, line 1: {message}."


def test_a_file_that_is_missing_or_not_text_is_refused(tmp_path: Path) -> None:
    missing = tmp_path / "no.csv"
    with pytest.raises(DataError) as caught:
        inputs.from_file(One, missing, FORM)
    assert str(caught.value) == f"{missing} cannot be read: No such file or directory."
    binary = tmp_path / "b.txt"
    binary.write_bytes(b"ab\xff\xfe")
    with pytest.raises(DataError) as caught:
        inputs.from_file(One, binary, FORM)
    assert str(caught.value) == (
        f"{binary} is not UTF-8: byte 0xff at offset 2 (invalid start byte). "
        "A run reads files as it read its own data: convert this one."
    )


def test_files_are_read_as_the_run_calls_and_encodes_its_columns(tmp_path: Path) -> None:
    form = InputForm(columns={"text": "review"}, encoding="latin-1")
    table = tmp_path / "a.CSV"
    table.write_bytes("stars,review\n5,très bien\n".encode("latin-1"))
    assert inputs.from_file(One, table, form) == ([One("très bien")], 0)
    lines = tmp_path / "a.ndjson"
    lines.write_text('{"stars": 5, "review": "good"}\n\n')
    assert inputs.from_file(One, lines, form) == ([One("good")], 1)
    lines.write_text('{"text": "good"}\n')
    with pytest.raises(DataError) as caught:
        inputs.from_file(One, lines, form)
    assert str(caught.value) == (
        f"{lines}, line 1 has no 'review': it must hold review; it has text."
    )


def test_a_line_of_json_that_is_no_object_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('["good"]\n')
    with pytest.raises(DataError, match="line 1 is a list, and must be an object with text"):
        inputs.from_file(One, path, FORM)


def test_a_file_of_the_task_s_own_form_is_known_by_its_ending(tmp_path: Path) -> None:
    form = InputForm(endings=(".col",), read=lambda path: ([path.name], 3))
    for name in ("a.col", "b.COL"):
        assert inputs.from_file(One, tmp_path / name, form) == ([name], 3)
    other = tmp_path / "col.txt"
    other.write_text("x\n")
    assert inputs.from_file(One, other, form) == ([One("x")], 0)


def test_an_argument_that_is_a_file_is_not_taken_for_a_text(tmp_path: Path) -> None:
    path = tmp_path / "two words.csv"
    path.write_text("text\n")
    with pytest.raises(ConfigError) as caught:
        inputs.refuse_files(["a text", str(path)], "--file FILE")
    assert str(caught.value) == (
        f"'{path}' is a file, and an argument is read as the text itself: give --file '{path}'. "
        "If it is the text, pipe it in with -."
    )
    # a folder is no file; a text may be longer than any name, or hold what no name can
    inputs.refuse_files([str(tmp_path), "x" * 10_000, "a\0b", ""], "--file FILE")


def stdin(data: bytes) -> io.TextIOWrapper:
    """A standard input that holds the bytes."""
    return io.TextIOWrapper(io.BytesIO(data), encoding="ascii")


def test_standard_input_is_lines_or_json_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", stdin("first, é\r\n\nsec\u2028ond\n".encode()))
    assert inputs.from_stdin(One, FORM) == ([One("first, é"), One("sec\u2028ond")], 1)
    monkeypatch.setattr("sys.stdin", stdin(b'{"image": "a", "count": 3}\n'))
    assert inputs.from_stdin(Pair, FORM) == ([Pair("a", 3)], 0)
    monkeypatch.setattr("sys.stdin", stdin(b""))
    assert inputs.from_stdin(One, FORM) == ([], 0)


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
        inputs.from_file(Pair, table, FORM)
    assert str(caught.value) == (
        f"{table}, line 2: a cell of more than 131,072 characters, the most that is read. "
        "Is a quote never closed? Longer texts go into JSON lines (.jsonl)."
    )
    deep = tmp_path / "a.jsonl"
    deep.write_text("[" * 100_000)
    with pytest.raises(DataError, match="line 1 is not JSON"):
        inputs.from_file(Pair, deep, FORM)
