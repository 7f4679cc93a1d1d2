"""Column files read: CoNLL and CoNLL-U, with the lines that are no words; bad ones told."""

from __future__ import annotations

from pathlib import Path

import pytest

from recurra.errors import ConfigError, DataError
from recurra.text import conll
from recurra.text.conll import Sentence

UNIVERSAL = (
    "# sent_id = 1\n# text = It's 1 000 #\n"
    "1-2\tIt's\t_\t_\t_\t_\t_\t_\t_\t_\n"
    "1\tIt\tit\tPRON\tPRP\t_\t3\tnsubj\t_\t_\n"
    "2\t's\tbe\tAUX\tVBZ\t_\t3\tcop\t_\t_\n"
    "3\t1 000\t1000\tNUM\tCD\t_\t0\troot\t_\t_\n"
    "3.1\tgone\tgo\tVERB\tVBN\t_\t_\t_\t_\t_\n"
    "#\t#\t#\tSYM\t#\t_\t3\tdep\t_\t_\n"
    "\n"
    "1\tYes\tyes\tINTJ\tUH\t_\t0\troot\t_\t_\n"
)


def _file(folder: Path, text: str, name: str = "words.conll") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


def test_conll_u_gives_forms_and_upos_without_comments_ranges_and_empty_words(
    tmp_path: Path,
) -> None:
    assert conll.read(_file(tmp_path, UNIVERSAL)) == [
        Sentence(("It", "'s", "1 000", "#"), ("PRON", "AUX", "NUM", "SYM")),
        Sentence(("Yes",), ("INTJ",)),
    ]


def test_columns_are_taken_by_name_or_number(tmp_path: Path) -> None:
    path = _file(tmp_path, UNIVERSAL)
    by_name = conll.read(path, "lemma", "xpos")
    assert by_name[0] == Sentence(("it", "be", "1000", "#"), ("PRP", "VBZ", "CD", "#"))
    assert conll.read(path, "3", "5") == by_name
    assert conll.read(path, "2", "-3")[1] == Sentence(("Yes",), ("root",))


def test_conll_takes_first_and_last_column_between_blanks_or_tabs(tmp_path: Path) -> None:
    text = (
        "-DOCSTART- -X- O O\n\nEU NNP I-NP I-ORG\nrejects VBZ I-VP O\n\n\n"
        "#tag\tX\tO\nNew York\tX\tB-LOC\n"
    )
    assert conll.read(_file(tmp_path, text)) == [
        Sentence(("EU", "rejects"), ("I-ORG", "O")),
        Sentence(("#tag", "New York"), ("O", "B-LOC")),
    ]


def test_a_blank_behind_a_tag_is_no_part_of_it(tmp_path: Path) -> None:
    text = "New York\tB-LOC \nis\tO\nbig\tO \r\n"
    found = conll.read(_file(tmp_path, text))
    assert found == [Sentence(("New York", "is", "big"), ("B-LOC", "O", "O"))]


def test_line_ends_of_two_characters_and_a_line_of_blanks_read_as_plain_ones(
    tmp_path: Path,
) -> None:
    assert conll.read(_file(tmp_path, "a\tX\r\n \t\r\nb\tY\r\n")) == [
        Sentence(("a",), ("X",)),
        Sentence(("b",), ("Y",)),
    ]
    with_marks = conll.read(_file(tmp_path, UNIVERSAL.replace("\n", "\r\n")))
    assert with_marks == conll.read(_file(tmp_path, UNIVERSAL))


@pytest.mark.parametrize(
    ("text", "columns", "message"),
    [
        ("a X\nb\n", (None, None), r"line 2: no word and tag in column 1 and the last column"),
        ("a X\n", (None, "3"), r"line 1: no word and tag in column 1 and column 3: it has 2 co"),
        ("a\t\n", (None, None), r"line 1: the tag is missing, the last column is empty"),
        ("a\tb\tX\n\tb\tX\n", (None, None), r"line 2: the word is missing, column 1 is empty"),
        ("a\t \tX\n", (None, "2"), r"line 1: the tag is missing, column 2 is empty"),
        ("a X\n", (None, "upos"), "column 'upos': give its number"),
        (UNIVERSAL, (None, "uspos"), "'uspos' is no column of CoNLL-U: .*Did you mean 'upos'"),
        ("\n \n", (None, None), "has no tagged word in it"),
        ("a\x00b X\n", (None, None), "is binary, not text"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_line(
    tmp_path: Path, text: str, columns: tuple[str | None, str | None], message: str
) -> None:
    with pytest.raises((DataError, ConfigError), match=message):
        conll.read(_file(tmp_path, text), *columns)


@pytest.mark.parametrize("text", ["EU NNP B-ORG\nrejects VBZ\n", "EU\tB-ORG\nrejects\tx\tO\n"])
def test_a_line_of_other_columns_than_its_sentence_s_first_is_refused(
    tmp_path: Path, text: str
) -> None:
    with pytest.raises(DataError, match=r"line 2: \d columns, and \d in its sentence's first line"):
        conll.read(_file(tmp_path, text))


@pytest.mark.parametrize("line", [4, 10])  # the first row of the first sentence, and of the second
def test_a_row_of_conll_u_without_its_ten_columns_is_the_one_that_is_named(
    tmp_path: Path, line: int
) -> None:
    lines = UNIVERSAL.split("\n")
    lines[line - 1] = lines[line - 1].removesuffix("\t_")
    path = _file(tmp_path, "\n".join(lines), "words.conllu")
    message = rf"words\.conllu, line {line}: 9 columns between tabs, and CoNLL-U has 10"
    with pytest.raises(DataError, match=message):
        conll.read(path)
    with pytest.raises(DataError, match=message):
        conll.words(path)


def test_plain_columns_may_stand_in_a_file_called_conllu(tmp_path: Path) -> None:
    path = _file(tmp_path, "a\tX\n", "words.conllu")
    assert conll.read(path) == [Sentence(("a",), ("X",))]


def test_a_file_called_conllu_without_a_row_of_ten_columns_is_refused(tmp_path: Path) -> None:
    rows = "1\tIt\tit\tPRON\tPRP\t_\t3\tnsubj\t_\n2\tis\tbe\tAUX\tVBZ\t_\t0\troot\t_\n"
    path = _file(tmp_path, f"# a comment\n{rows}", "words.conllu")
    message = (
        f"{path}, line 2: 9 columns between tabs, and CoNLL-U has 10. Plain columns go into a file "
        "called .conll."
    )
    for read in (conll.read, conll.words):
        with pytest.raises(DataError) as caught:
            read(path)
        assert str(caught.value) == message
    plain = conll.read(_file(tmp_path, rows))
    assert plain == [Sentence(("1", "2"), ("_", "_"))]


def test_words_alone_need_no_column_of_tags(tmp_path: Path) -> None:
    alone = _file(tmp_path, "-DOCSTART-\n\nEU\nrejects\n\n\nNew York\t\n")
    assert conll.words(alone) == [("EU", "rejects"), ("New York",)]
    universal = _file(tmp_path, UNIVERSAL)
    assert conll.words(universal) == [("It", "'s", "1 000", "#"), ("Yes",)]
    assert conll.words(universal, "lemma") == [("it", "be", "1000", "#"), ("yes",)]


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("a\nb\n", "2", "line 1: no word in column 2, from which this run reads them: it has 1 "),
        ("\tX\n", None, "line 1: no word in column 1"),
        ("a X\nb Y Z\n", None, "line 2: 3 columns, and 2 in its sentence's first line"),
        ("\n", None, "has no word in it"),
    ],
)
def test_words_that_are_not_there_are_told_with_their_line(
    tmp_path: Path, text: str, column: str | None, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        conll.words(_file(tmp_path, text), column)
