"""Lists of names as files have them: what is a name, what is left out, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from recurra.data.name_list import NameData, read
from recurra.errors import ConfigError, DataError


def write(folder: Path, data: str | bytes, name: str = "names.txt") -> str:
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return str(path)


def test_a_name_is_a_line_without_the_blanks_around_it(tmp_path: Path) -> None:
    found = read(NameData(), [write(tmp_path, "Ann\r\n  Bob\t\nMary Ann\n")])
    assert found.names == ("Ann", "Bob", "Mary Ann")
    assert (found.labels, found.notes) == ((), ())
    assert [source.name for source in found.sources] == ["names.txt"]


def test_a_last_line_without_an_end_is_a_name_and_so_is_the_first_of_the_next_file(
    tmp_path: Path,
) -> None:
    files = [write(tmp_path, "Ann\nBob"), write(tmp_path, "Cleo\n", "more.txt")]
    assert read(NameData(), files).names == ("Ann", "Bob", "Cleo")


def test_empty_lines_and_repeated_names_are_counted_in_a_note(tmp_path: Path) -> None:
    found = read(NameData(), [write(tmp_path, "Ann\n\n \nBob\nAnn\n")])
    assert found.names == ("Ann", "Bob", "Ann")
    assert found.notes[0] == "left out: 2 empty lines."
    assert found.notes[1].startswith("repeated: 1 of 3 names. A name counts as often as it")
    assert read(NameData(), [write(tmp_path, "Ann\n\n")]).notes == ("left out: 1 empty line.",)


def test_without_files_the_names_are_our_own() -> None:
    found = read(NameData(), [])
    assert len(set(found.names)) == len(found.names) > 300
    assert found.sources[0].name == "given_names.txt of Recurra"


def test_a_column_gives_the_class_of_each_name(tmp_path: Path) -> None:
    table = write(tmp_path, "name\tfrom\nMacKay\tScottish\nRossi\tItalian\n", "n.tsv")
    found = read(NameData(classes=True, label_column="from"), [table])
    assert found.names == ("MacKay", "Rossi")
    assert found.labels == ("Scottish", "Italian")


def test_files_without_columns_are_a_class_each(tmp_path: Path) -> None:
    write(tmp_path, "MacKay\nBaird\n", "Scottish.txt")
    write(tmp_path, "Rossi\n\n", "Italian.txt")
    found = read(NameData(classes=True), [str(tmp_path)])
    assert sorted(zip(found.names, found.labels, strict=True)) == [
        ("Baird", "Scottish"),
        ("MacKay", "Scottish"),
        ("Rossi", "Italian"),
    ]
    assert "left out: 1 empty line." in found.notes


def test_the_same_name_in_two_classes_is_no_repetition(tmp_path: Path) -> None:
    table = write(tmp_path, "name,label\nAnn,a\nAnn,b\n", "n.csv")
    assert read(NameData(classes=True), [table]).notes == ()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("", r"names.txt is empty: there is nothing in it"),
        ("\n \n\n", r"/names.txt: there is no name in it"),
        (b"Ann\nB\x00b\n", r"is binary, not text: a NUL byte at offset 5"),
        (b"Ann\nB\xffb\n", r"is not UTF-8: byte 0xff at offset 5"),
        (
            "Ann\n" + "a" * 100_000 + "\n",
            r"line 2: a name of 100,000 characters, 'aaaaaaaaaaaaaaaaaaaa'…, and at most 1,000",
        ),
    ],
)
def test_what_is_no_list_of_names_is_refused_with_its_place(
    tmp_path: Path, data: str | bytes, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read(NameData(), [write(tmp_path, data)])


def test_a_longer_name_is_taken_where_that_is_asked_for(tmp_path: Path) -> None:
    found = read(NameData(max_length=2000), [write(tmp_path, "a" * 2000)])
    assert len(found.names[0]) == 2000


def test_a_column_that_is_not_there_and_a_name_of_two_lines_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no column 'name'. It has: title, label"):
        read(NameData(classes=True), [write(tmp_path, "title,label\nAnn,a\n", "n.csv")])
    with pytest.raises(DataError, match=r"'Ann\\nBob' has a line end in it, and a name is one"):
        read(NameData(classes=True), [write(tmp_path, 'name,label\n"Ann\nBob",a\n', "m.csv")])


def test_the_built_in_names_have_no_classes() -> None:
    with pytest.raises(ConfigError, match="the built-in names have none"):
        read(NameData(classes=True), [])


def test_every_class_is_split_by_the_same_shares_and_the_seed_is_the_split_s_own(
    tmp_path: Path,
) -> None:
    rows = "".join(f"n{i},{'ab'[i % 4 == 0]}\n" for i in range(400))
    data = NameData(classes=True)
    found = read(data, [write(tmp_path, "name,label\n" + rows, "n.csv")])
    held = found.split(data)
    assert [len(held.train), len(held.valid), len(held.test)] == [320, 40, 40]
    assert [found.labels[row] for row in held.test].count("b") == 10
    other = found.split(NameData(classes=True, split_seed=1))
    assert held.test.tolist() != other.test.tolist()


def test_messages_about_classes_advise_no_flag_that_names_lack(tmp_path: Path) -> None:
    for name in ("people.csv", "lines.txt"):
        with pytest.raises(DataError) as told:
            read(NameData(classes=True), [write(tmp_path, "Ann,Welsh\nBob,Irish\n", name)])
        assert "--line" not in str(told.value)


def test_a_table_read_as_lines_is_said(tmp_path: Path) -> None:
    found = read(NameData(), [write(tmp_path, "name,label\nAnn,Welsh\n", "people.csv")])
    assert found.names == ("name,label", "Ann,Welsh")
    assert found.notes == (
        "each line of people.csv is a name as it stands, a header and separators too: with "
        "--classes its columns are read.",
    )
