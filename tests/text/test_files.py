"""Which files a user's words mean."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import sys
import threading
from pathlib import Path

import pytest

from recurra.errors import DataError
from recurra.text.files import describe, expand


def test_a_file_is_itself_and_several_keep_their_order(tmp_path: Path) -> None:
    first, second = tmp_path / "b.txt", tmp_path / "a.txt"
    first.write_text("x")
    second.write_text("y")
    assert expand([str(first), str(second)]) == [first, second]


def test_a_folder_is_its_text_files_at_any_depth_sorted_by_path(tmp_path: Path) -> None:
    for name in ("z.txt", "b/a.md", "b/noending", "a.b/c.py", "B.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("text")
    found = [path.relative_to(tmp_path).as_posix() for path in expand([str(tmp_path)])]
    assert found == ["B.txt", "a.b/c.py", "b/a.md", "b/noending", "z.txt"]


def test_hidden_empty_and_binary_files_of_a_folder_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    for name in (".git/config", ".hidden", "photo.PNG", "weights.safetensors", "kept.txt"):
        (tmp_path / name).write_text("text")
    (tmp_path / "empty.txt").touch()
    assert expand([str(tmp_path)]) == [tmp_path / "kept.txt"]


def test_a_hidden_or_oddly_named_file_is_read_when_it_is_named(tmp_path: Path) -> None:
    path = tmp_path / ".hidden.png"
    path.write_text("text")
    assert expand([str(path)]) == [path]


def test_a_folder_without_text_says_so(tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(b"\x89PNG")
    with pytest.raises(DataError, match=r"has no text file in it \(1 file.* passed over: hidden"):
        expand([str(tmp_path)])
    (tmp_path / "photo.png").unlink()
    with pytest.raises(DataError, match=r"has no text file in it\.$"):
        expand([str(tmp_path)])


def test_an_empty_file_says_so(tmp_path: Path) -> None:
    path = tmp_path / "empty.txt"
    path.touch()
    with pytest.raises(DataError, match=r"empty\.txt is empty: there is nothing in it"):
        expand([str(path)])


@pytest.mark.parametrize("name", ["missing.npz", "b.npz", "test.npz"])
def test_a_file_whose_ending_alone_is_like_a_missing_one_s_is_not_named(
    tmp_path: Path, name: str
) -> None:
    for other in ("train.npz", "a.npz"):
        (tmp_path / other).write_text("x")
    with pytest.raises(DataError) as caught:
        expand([str(tmp_path / name)])
    assert str(caught.value) == f"there is no file {str(tmp_path / name)!r}."


@pytest.mark.parametrize("name", ["tarin.npz", "train.npy", "trains.npz"])
def test_a_slip_in_a_file_s_name_or_ending_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "train.npz").write_text("x")
    with pytest.raises(DataError, match=r"Did you mean 'train\.npz'\?"):
        expand([str(tmp_path / name)])


def test_a_missing_file_is_named_with_its_nearest_neighbour(tmp_path: Path) -> None:
    (tmp_path / "input.txt").write_text("x")
    with pytest.raises(DataError, match=r"no file '.*inptu\.txt'\. Did you mean 'input\.txt'\?"):
        expand([str(tmp_path / "inptu.txt")])


@pytest.mark.parametrize("name", ["no/such/folder/x.txt", "a\0b"])
def test_an_impossible_name_is_an_error_in_one_line(name: str) -> None:
    with pytest.raises(DataError) as caught:
        expand([name])
    assert "\n" not in str(caught.value)


def test_no_file_at_all_says_what_to_give() -> None:
    with pytest.raises(DataError, match="Name a text file, a folder, or - for standard input"):
        expand([])


def test_a_device_is_no_file() -> None:
    with pytest.raises(DataError, match="is not a file, a folder or a pipe"):
        expand([os.devnull])


def test_standard_input_can_be_read_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"caf\xc3\xa9\r\n")))
    (path,) = expand(["-"])
    assert path.read_bytes() == path.read_bytes() == b"caf\xc3\xa9\r\n"
    assert (describe(path).path, describe(path).name) == ("-", "stdin")


def test_empty_standard_input_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    with pytest.raises(DataError, match="standard input is empty"):
        expand(["-"])


def test_no_room_for_standard_input_is_an_error_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"text")))
    monkeypatch.setattr(shutil, "copyfileobj", full)
    with pytest.raises(DataError, match=r"standard input cannot be copied to .*No space left"):
        expand(["-"])


def test_a_named_pipe_is_copied_so_that_it_can_be_read_twice(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(b"hello",))
    writer.start()
    (path,) = expand([str(pipe)])
    writer.join()
    assert path.read_bytes() == path.read_bytes() == b"hello"


def test_a_source_has_the_files_size_and_hash(tmp_path: Path) -> None:
    path = tmp_path / "input.txt"
    path.write_bytes(b"abc" * 700_000)  # more than one block
    source = describe(path)
    assert (source.path, source.name, source.bytes) == (str(path), "input.txt", 2_100_000)
    assert source.sha256 == hashlib.sha256(b"abc" * 700_000).hexdigest()
