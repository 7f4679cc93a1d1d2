"""Which reader a user's files get."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from recurra.data.examples import Columns
from recurra.data.labelled import read, vectors_in
from recurra.errors import DataError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inside = tmp_path / "data"
    for label, name in (("spam", "1.txt"), ("ham", "2.txt")):
        (inside / label).mkdir(parents=True)
        (inside / label / name).write_text(f"{label} text")
    (inside / ".git").mkdir()
    (inside / ".git" / "config").write_text("hidden")
    return inside


def test_a_folder_with_folders_in_it_is_a_class_a_folder(folder: Path) -> None:
    found = read([str(folder)], Columns())
    assert found.labels == ["ham", "spam"]
    assert found.inputs == ["ham text", "spam text"]


def test_a_folder_of_files_is_a_class_a_file(tmp_path: Path) -> None:
    for name in ("b.txt", "a.txt"):
        (tmp_path / name).write_text(f"{name}\n")
    assert read([str(tmp_path)], Columns()).labels == ["a", "b"]


def test_tables_are_joined_in_order(tmp_path: Path) -> None:
    names = []
    for label in "ab":
        path = tmp_path / f"{label}.tsv"
        path.write_text(f"text\tlabel\nx\t{label}\n")
        names.append(str(path))
    assert read(names, Columns()).labels == ["a", "b"]


def test_pictures_in_folders_are_read_row_by_row(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image", reason="pictures need Pillow")
    for label in ("x", "y"):
        (tmp_path / label).mkdir()
        image.fromarray(np.zeros((3, 4), np.uint8)).save(tmp_path / label / "1.png")
    found = read([str(tmp_path)], Columns())
    assert [one.shape for one in found.inputs] == [(3, 4), (3, 4)]
    (tmp_path / "x" / "2.txt").write_text("text")
    with pytest.raises(DataError) as caught:
        read([str(tmp_path)], Columns())
    assert str(caught.value) == (
        f"{tmp_path} has pictures and other files, as {tmp_path / 'x' / '1.png'} and "
        f"{tmp_path / 'x' / '2.txt'}; give one kind."
    )
    with pytest.raises(DataError, match="pictures need a folder a class"):
        read([str(tmp_path / "x" / "1.png")], Columns())
    assert vectors_in(str(tmp_path / "x" / "1.png")).inputs[0].shape == (3, 4)


def test_one_file_without_labels_says_what_would_give_them(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("x\n")
    with pytest.raises(DataError, match=r"is one file without labels.*--line '\{text\}"):
        read([str(path)], Columns())


def test_one_file_is_a_class_where_its_name_is_a_known_label(tmp_path: Path) -> None:
    for name in ("HUM.txt", "rt.neg", "new.txt"):
        (tmp_path / name).write_text("x\n")
    labels = {
        name: read([str(tmp_path / name)], Columns(), known).labels
        for name, known in (("HUM.txt", ("DESC", "HUM")), ("rt.neg", ("neg", "pos")))
    }
    assert labels == {"HUM.txt": ["HUM"], "rt.neg": ["neg"]}
    with pytest.raises(DataError, match=r"new\.txt is one file without labels, and its name is no"):
        read([str(tmp_path / "new.txt")], Columns(), ("DESC", "HUM"))


def test_with_known_labels_each_file_is_called_by_itself_and_two_may_be_of_one_class(
    tmp_path: Path,
) -> None:
    for name in ("a.neg", "b.neg", "neg.txt", "rt.pos", "neg.pos", "x.new"):
        (tmp_path / name).write_text("x\n")
    names = [str(tmp_path / name) for name in ("a.neg", "b.neg", "neg.txt", "rt.pos", "neg.pos")]
    found = read(names, Columns(), ("neg", "pos"))
    assert found.labels == ["neg", "neg", "neg", "pos", "neg"]
    # what is no label by either name is called as training would call it
    found = read([str(tmp_path / "x.new"), names[0]], Columns(), ("neg", "pos"))
    assert found.labels == ["x", "neg"]


def test_two_files_of_one_name_and_ending_are_refused_by_name_where_no_label_is_known(
    tmp_path: Path,
) -> None:
    (tmp_path / "more").mkdir()
    names = [str(tmp_path / name) for name in ("x.pos", "a.neg", "more/a.neg")]
    for name in names:
        Path(name).write_text("x\n")
    with pytest.raises(DataError) as caught:
        read(names, Columns())
    assert str(caught.value) == (
        f"{names[1]} and {names[2]} share a name: a class would have two files."
    )


def test_a_text_or_a_label_that_no_file_could_hold_is_named_by_its_place(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    first = '{"text": "a", "label": "x"}\n'
    path.write_text(first + '{"text": "\\ud800", "label": "y"}\n')
    with pytest.raises(DataError, match=r"a\.jsonl, line 2: the text has half a surrogate pair"):
        read([str(path)], Columns())
    path.write_text(first + '{"text": "b", "label": "\\ud800"}\n')
    with pytest.raises(DataError, match=r"line 2: the label '\\ud800' is no line of Unicode text"):
        read([str(path)], Columns())


def test_a_folder_of_a_class_whose_name_is_not_utf8_is_to_be_renamed(folder: Path) -> None:
    (folder / "ham").rename(folder / os.fsdecode(b"caf\xe9"))
    with pytest.raises(
        DataError, match=r"the label 'caf\\udce9' is no line of Unicode text.* rename"
    ):
        read([str(folder)], Columns())


@pytest.mark.parametrize("label", ["two\\nlines", "a\\u2028b", "a\\u0085b"])
def test_a_label_of_more_than_one_line_is_refused(label: str, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f'{{"text": "a", "label": "x"}}\n{{"text": "b", "label": "{label}"}}\n')
    with pytest.raises(DataError, match=r"a\.jsonl, line 2: the label .* is no line of"):
        read([str(path)], Columns())


def test_files_beside_the_folders_of_a_class_are_left_out_and_counted(folder: Path) -> None:
    assert read([str(folder)], Columns()).notes == ()
    (folder / "README.txt").write_text("about")
    (folder / "LICENSE").write_text("of no class")
    (folder / ".hidden").write_text("counts nowhere")
    found = read([str(folder)], Columns())
    assert found.labels == ["ham", "spam"]
    assert found.notes == ("left out: 2 files beside the folders that are a class each.",)


def test_an_array_without_labels_is_told_as_that(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((2, 3)))
    with pytest.raises(DataError, match=r"a\.npy is one array, .* put both into an \.npz"):
        read([str(tmp_path / "a.npy")], Columns())


def test_text_and_vectors_at_once_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.zeros((1, 2, 1)), y=np.array([0]))
    (tmp_path / "a.csv").write_text("text,label\nx,y\n")
    with pytest.raises(DataError, match="some are text and some vectors"):
        read([str(tmp_path / "a.npz"), str(tmp_path / "a.csv")], Columns())


def test_nothing_to_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label\n,x\n")
    with pytest.raises(DataError, match=r"there is no example in .*a\.csv: 1 example with nothing"):
        read([str(tmp_path / "a.csv")], Columns())
    np.savez(tmp_path / "a.npz", x=np.zeros((20, 0, 3)), y=np.arange(20))
    with pytest.raises(DataError, match=r"a\.npz: 20 examples with nothing to read \(no"):
        read([str(tmp_path / "a.npz")], Columns())
    (tmp_path / "b-labels-idx1-ubyte").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 0]))
    with pytest.raises(DataError, match="b-labels-idx1-ubyte holds labels alone: name the file of"):
        read([str(tmp_path / "b-labels-idx1-ubyte")], Columns())
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="has no file in it"):
        read([str(tmp_path / "empty")], Columns())
    with pytest.raises(DataError, match=r"there is no file .*b\.csv"):
        read([str(tmp_path / "b.csv")], Columns())


def test_a_file_that_holds_no_vectors_says_what_would(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(DataError, match=r"this run reads vectors: name an \.npz, a \.ts"):
        vectors_in(str(tmp_path / "a.txt"))
