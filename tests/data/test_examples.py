"""Labelled texts from every form of file, and what is wrong with one, by file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from recurra.data.examples import (
    Columns,
    from_class_files,
    from_class_folders,
    from_rows,
)
from recurra.data.line_form import LineForm
from recurra.errors import ConfigError, DataError


def written(folder: Path, name: str, text: str, encoding: str = "utf-8") -> Path:
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text.encode(encoding))
    return path


ROWS = [("Abl", "Czech"), ('say "no"', "English")]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.tsv", 'label\ttext\nCzech\tAbl\nEnglish\tsay "no"\n'),
        ("a.csv", 'text,label,more\r\nAbl,Czech,1\r\n"say ""no""",English,2\r\n'),
        (
            "a.jsonl",
            '{"text": "Abl", "label": "Czech"}\n\n{"label":"English","text":"say \\"no\\""}',
        ),
    ],
)
def test_tables_and_json_lines_give_texts_and_labels(tmp_path: Path, name: str, text: str) -> None:
    found = from_rows(written(tmp_path, name, text), Columns())
    assert list(zip(found.inputs, found.labels, strict=True)) == ROWS


def test_a_quoted_cell_may_reach_over_lines(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", 'text,label\n"one\ntwo",x\nthree,y\n')
    found = from_rows(path, Columns())
    assert found.inputs == ["one\ntwo", "three"]
    assert found.places[1] == f"{path}, line 4"


def test_the_form_of_a_line_takes_it_apart(tmp_path: Path) -> None:
    trec = written(tmp_path, "trec", "NUM:dist How far is it : now ?\nHUM:ind Who ?\n")
    found = from_rows(trec, Columns(line="{label}:{kind} {text}"))
    assert found.inputs == ["How far is it : now ?", "Who ?"]
    assert found.labels == ["NUM", "HUM"]
    titles = written(tmp_path, "titles.txt", "体验2D巅峰\t8\n")
    assert from_rows(titles, Columns(line="{text}\\t{label}")).labels == ["8"]


def test_only_a_newline_ends_a_line(tmp_path: Path) -> None:
    # in latin-1, 0x85 is a character that Python's splitlines takes for a line's end
    path = written(tmp_path, "rt.pos", "a caf\xe9 \x85 of it\r\nmore\n", "latin-1")
    other = written(tmp_path, "rt.neg", "less\n")
    found = from_class_files([path, other], "latin-1")
    assert found.inputs == ["a café \x85 of it", "more", "less"]
    assert found.labels == ["pos", "pos", "neg"]


def test_a_file_a_class_is_named_by_its_file_and_blank_lines_are_counted(tmp_path: Path) -> None:
    paths = [
        written(tmp_path, "Arabic.txt", "Khoury\n\n  \nNahas"),
        written(tmp_path, "Czech.txt", "Abl\n"),
    ]
    found = from_class_files(paths, None)
    assert found.labels == ["Arabic", "Arabic", "Czech"]
    assert found.places[1] == f"{paths[0]}, line 4"
    assert found.left_out == 2


def test_a_folder_a_class_has_a_file_an_example(tmp_path: Path) -> None:
    one = written(tmp_path / "spam", "1.txt", "buy\nnow\n")
    two = written(tmp_path / "ham", "2.txt", "hello")
    blank = written(tmp_path / "ham", "3.txt", " \n")
    found = from_class_folders({"spam": [one], "ham": [two, blank]}, None)
    assert found.inputs == ["buy\nnow", "hello"]
    assert found.labels == ["spam", "ham"]
    assert found.left_out == 1


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.tsv", "title\tlabel\nx\ty\n", r"a\.tsv has no column 'text'\. It has: title, label"),
        ("a.csv", "text,lable\nx,y\n", r"no column 'label'.* Did you mean 'lable'\?"),
        ("a.csv", "", r"no column 'text'\. It has: none"),
        ("a.csv", "text,label\nx,y\nz\n", r"a\.csv, line 3: 1 cell, and the header has 2"),
        (
            "a.csv",
            f"text,label\n{'x' * 131_073},y\n",  # one more than Python's limit
            r"line 2: a cell of more than 131,072 characters.* Is a quote never closed\? Longer",
        ),
        ("a.tsv", "text\tlabel\nx\ty\tz\n", r"a\.tsv, line 2: 3 cells, and the header has 2"),
        (
            "a.csv",
            'text,label\na,x\n"b\nc",x\n"x,y\nz,y\nz,y\n',
            r"a\.csv, line 5: a quoted cell of the row that begins here is never closed",
        ),
        (
            "a.csv",
            'text,label\n"x,y\nz,y\n"z,y\n',
            r"""a\.csv, line 4: ',' expected after '"' \(the row begins in line 2\)\.$""",
        ),
        (
            "a.csv",
            "id,text,text,label\n1,a,b,c\n",
            r"a\.csv has 2 columns 'text': give all but one",
        ),
        ("a.csv", "text,label\nx, \n", r"a\.csv, line 2: the label is empty"),
        ("a.jsonl", '{"text": "x"}\n', r"a\.jsonl, line 1 has no column 'label'"),
        ("a.jsonl", '{"text": 1.5, "label": "y"}', r"line 1: text must be text, not a number"),
        ("a.jsonl", '{"text": 5, "label": "y"}', r"line 1: text must be text, not a number"),
        ("a.jsonl", '{"text": null, "label": "y"}', r"line 1: text must be text, not null"),
        ("a.jsonl", '{"text": "x", "label": 1.5}', r"label must be text or a whole number, not a "),
        ("a.jsonl", '{"text": "x", "label": true}', r"a whole number, not true or false\."),
        ("a.jsonl", '{"text": {}, "label": "y"}', r"line 1: text must be text, not an object"),
        ("a.jsonl", "[1]\n", r"line 1 is a list, and must be an object with text and label"),
        ("a.jsonl", "{nope\n", r"a\.jsonl, line 1 is not JSON"),
        ("a.csv", "text,label\nx\0,y\n", r"a\.csv is binary, not text: a NUL byte at offset 12"),
        ("a.csv", "text,label\n\udcff,y\n", r"a\.csv is not UTF-8: byte 0xff at offset 11"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_line(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(DataError, match=message):
        from_rows(path, Columns())


def test_only_rows_without_names_are_advised_to_describe_their_lines(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("title,label\nx,y\n")
    (tmp_path / "a.jsonl").write_text('{"title": "x", "label": "y"}\n')
    with pytest.raises(DataError, match=r"--text-column, --label-column; or say .*--line"):
        from_rows(tmp_path / "a.csv", Columns())
    with pytest.raises(DataError, match=r"--text-column, --label-column\.$"):
        from_rows(tmp_path / "a.jsonl", Columns())


def test_a_column_that_is_not_wanted_may_stand_twice(tmp_path: Path) -> None:
    found = from_rows(written(tmp_path, "a.csv", "id,text,id,label\n1,a,2,x\n"), Columns())
    assert (found.inputs, found.labels) == (["a"], ["x"])


def test_a_label_in_json_lines_may_be_a_whole_number(tmp_path: Path) -> None:
    found = from_rows(written(tmp_path, "a.jsonl", '{"text": "a", "label": 5}'), Columns())
    assert found.labels == ["5"]


def test_a_line_of_another_form_is_named(tmp_path: Path) -> None:
    path = written(tmp_path, "a.txt", "x\ty\nno tab\n")
    with pytest.raises(DataError, match=r"a\.txt, line 2: 'no tab' is not of the form"):
        from_rows(path, Columns(line="{text}\\t{label}"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "text,label\n\nyes,y\r\n\r\nno,n\n"),
        ("a.tsv", "text\tlabel\n\nyes\ty\n\nno\tn"),
        ("a.jsonl", '\n{"text": "yes", "label": "y"}\n \n{"text": "no", "label": "n"}\n'),
        ("a.txt", "\ny|yes\n\t\nn|no\n"),
    ],
)
def test_blank_lines_are_left_out_and_counted(tmp_path: Path, name: str, text: str) -> None:
    columns = Columns(line="{label}|{text}") if name == "a.txt" else Columns()
    found = from_rows(written(tmp_path, name, text), columns)
    assert (found.inputs, found.labels, found.left_out) == (["yes", "no"], ["y", "n"], 2)


def test_a_row_without_text_is_left_out_and_counted(tmp_path: Path) -> None:
    found = from_rows(written(tmp_path, "a.tsv", "text\tlabel\n \tx\nyes\ty\n"), Columns())
    assert (found.inputs, found.left_out) == (["yes"], 1)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("{text}", r"lacks \{label\}\. It must name \{text\} and \{label\}"),
        ("{text}{label}", "each field may stand once, with something between"),
        ("{text} {label} {text}", "each field may stand once"),
        ("{text} {label} {1}", "'1' is no name of a field"),
    ],
)
def test_a_form_that_cannot_take_lines_apart_is_refused(pattern: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        LineForm(pattern, ("text", "label"))


def test_what_stands_around_the_fields_must_be_there() -> None:
    form = LineForm("__label__{label} {text}.", ("text", "label"))
    assert form.fields("__label__a b c.", "here") == {"label": "a", "text": "b c"}
    with pytest.raises(DataError, match="here: 'a b' is not of the form"):
        form.fields("a b", "here")


@pytest.mark.parametrize(
    ("name", "header", "found"),
    [
        ("a.csv", "text;label", "semicolons"),
        ("a.csv", "text\tlabel", "tabs"),
        ("a.csv", "text|label", "bars"),
        ("a.tsv", "text,label", "commas"),
    ],
)
def test_a_table_with_another_separator_is_told_as_that(
    tmp_path: Path, name: str, header: str, found: str
) -> None:
    path = tmp_path / name
    path.write_text(f"{header}\n{header}\n")
    with pytest.raises(DataError, match=rf"no column 'text'\. Its header is .*, with {found}: a"):
        from_rows(path, Columns())


@pytest.mark.parametrize(("name", "text"), [("a.jsonl", '{"a, b": "x"}'), ("a.csv", '"a, b"\nx\n')])
def test_a_comma_in_a_name_of_json_or_in_a_quoted_cell_is_no_other_separator(
    tmp_path: Path, name: str, text: str
) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(
        DataError, match=r"no column 'text'\. It has: a, b\. Name it: --text-column"
    ):
        from_rows(path, Columns())
