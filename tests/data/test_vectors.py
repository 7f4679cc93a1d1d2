"""Sequences of vectors from .npz and .ts: values as written, damage in one line, no pickle."""

from __future__ import annotations

import os
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recurra.data.vectors import from_npz, from_ts
from recurra.errors import DataError

RAGGED = [np.arange(6.0).reshape(3, 2), np.arange(2.0).reshape(1, 2)]


def saved(folder: Path, **arrays: Any) -> Path:
    path = folder / "a.npz"
    np.savez(path, **arrays)
    return path


def test_an_npz_of_equal_lengths_is_n_t_i(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(4, 3, 2))
    found = from_npz(saved(tmp_path, x=x, y=np.array([1, 0, 1, 10])), labelled=True)
    assert found.labels == ["1", "0", "1", "10"]
    assert np.array_equal(np.stack(found.inputs), x.astype(np.float32))


def test_an_npz_of_any_lengths_has_all_steps_under_each_other(tmp_path: Path) -> None:
    x = np.concatenate([RAGGED[0], np.zeros((0, 2)), RAGGED[1]])
    path = saved(tmp_path, x=x, lengths=np.array([3, 0, 1]), y=np.array(["a", "b", "c"]))
    found = from_npz(path, labelled=True)
    assert found.labels == ["a", "c"]
    assert found.left_out == 1
    for one, expected in zip(found.inputs, RAGGED, strict=True):
        assert np.array_equal(one, expected)


def test_labels_are_not_needed_to_be_answered(tmp_path: Path) -> None:
    found = from_npz(saved(tmp_path, x=np.zeros((2, 3, 1))), labelled=False)
    assert (len(found), found.labels) == (2, [])


X = np.zeros((2, 3, 1))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"z": X}, "has no array 'x'. It has: z"),
        ({"x": X}, "has no array 'y' with a label for each of 2 sequences"),
        ({"x": X, "y": np.array([1])}, r"y must have shape \(2,\) of whole numbers or text"),
        ({"x": X, "y": np.array([1.5, 2])}, "of float64"),
        ({"x": X[0], "y": np.array([1])}, r"x must have shape \(N, T, I\), or"),
        ({"x": X[0], "lengths": np.array([1, 1]), "y": np.array([0, 1])}, "add up to the 3 steps"),
        (
            {"x": X[0], "lengths": np.array([4, -1]), "y": np.array([0, 1])},
            "example 2: its length is -1",
        ),
        (  # 2^64 + 3, which is 3 in 64 bits
            {"x": X[0], "lengths": np.array([2**62] * 4 + [3]), "y": np.arange(5)},
            "add up to the 3 steps of x; they add up to 18,446,744,073,709,551,619",
        ),
        ({"x": X[0], "lengths": np.array([1.5]), "y": np.array([0])}, "whole numbers"),
        ({"x": np.array([["a"]]), "y": np.array([0])}, "x must hold numbers, not <U1"),
        ({"x": X + np.nan, "y": np.array([0, 1])}, "example 1: has values that are not finite"),
        ({"x": X[..., :0], "y": np.array([0, 1])}, "example 1: a step has no number in it"),
        ({"x": np.array([X, 1], object), "y": np.array([0])}, "nothing is ever unpickled"),
    ],
)
def test_an_npz_of_another_form_says_what_it_has(
    tmp_path: Path, arrays: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        from_npz(saved(tmp_path, **arrays), labelled=True)


def test_a_damaged_npz_is_one_clear_line(tmp_path: Path) -> None:
    path = saved(tmp_path, x=X, y=np.array([0, 1]))
    data = path.read_bytes()
    broken = [data[: len(data) // 2], data[:100] + bytes(80) + data[180:], b"PK\x03\x04", b"text"]
    for content in broken:
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"a\.npz is (damaged|no \.npz file)"):
            from_npz(path, labelled=True)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not an array", r"has no array 'x'\. It has: y"),
        (b"\x93NUMPY\x01\x00\x10\x00" + b"(" * 16, r"a\.npz is damaged"),
        (b"\x93NUMPY\x01\x00\x10\x27" + b"-" * 10_000, r"a\.npz is damaged"),
        (
            b"\x93NUMPY\x01\x00\x60\x00"
            + b"{'descr': '<f8', 'fortran_order': False, 'shape': (2"
            + b"0" * 40
            + b",)}\n",
            r"a\.npz is damaged",
        ),
    ],
)
def test_whatever_stands_in_the_place_of_an_array_is_one_clear_line(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = saved(tmp_path, y=np.array([0, 1]))
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("x.npy", content)
    with pytest.raises(DataError, match=message):
        from_npz(path, labelled=True)


def test_sequences_without_a_step_are_counted_and_not_listed(tmp_path: Path) -> None:
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (10000000000, 0, 3)}\n"
    path = saved(tmp_path, y=np.array([0, 1]))
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("x.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)
    found = from_npz(path, labelled=False)
    assert (len(found), found.left_out) == (0, 10**10)


def test_a_pickle_under_the_name_of_an_npz_is_never_opened(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return os.mkdir, (str(tmp_path / "exploded"),)

    path = tmp_path / "a.npz"
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(DataError, match="nothing is ever unpickled"):
        from_npz(path, labelled=True)
    assert not (tmp_path / "exploded").exists()


HEADER = "#words\n@problemName p\n@timeStamps false\n@classLabel true a b\n@data\n"


def test_a_ts_line_is_a_sequence_whose_dimensions_are_columns(tmp_path: Path) -> None:
    path = tmp_path / "a.ts"
    path.write_text(f"{HEADER}1,2,3:-4,5e-1,6:a\n\n7:8:b\n")
    found = from_ts(path, labelled=True)
    assert found.labels == ["a", "b"]
    assert found.inputs[0].tolist() == [[1, -4], [2, 0.5], [3, 6]]
    assert found.inputs[1].tolist() == [[7, 8]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{HEADER}1,2:3:a\n", r"line 6: its dimensions have different lengths: 2, 1"),
        (f"{HEADER}1,?:3,4:a\n", r"line 6 has missing values \(\?\)"),
        (f"{HEADER}1,x:3,4:a\n", r"line 6: could not convert string to float: 'x'"),
        (f"{HEADER}1,inf:3,4:a\n", r"example 1: has values that are not finite"),
        (
            f"{HEADER}1,1e39:3,4:a\n",
            r"example 1: has values that are .* \(NaN, inf, beyond 3.4e38\)",
        ),
        (f"{HEADER}a\n", r"line 6: its dimensions have different lengths: none"),
        (HEADER.replace("true", "false") + "1:2\n", "has no labels: its header says no"),
        (HEADER.replace("timeStamps false", "timeStamps true"), "has timestamps"),
        ("1,2:3,4:a\n", "has no @data line: it is not a .ts file"),
        ("@data\0", "is binary, not text"),
        (
            f"{HEADER}1:2:b\n1:2:c\n",
            r"line 7: the label 'c' is not one of the header's @classLabel: a, b\.",
        ),
        (f"{HEADER}1:2:b\n1,2:3,4\n", r"line 7 ends in values where its label should stand"),
        (f"{HEADER.replace(' a b', '')}1,2:3,4\n", r"line 6 ends in values where its label"),
    ],
)
def test_a_ts_file_that_cannot_be_read_names_the_line(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "a.ts"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        from_ts(path, labelled=True)


def test_a_ts_file_is_read_in_the_encoding_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a.ts"
    path.write_bytes("# Müller\n@classLabel true ä\n@data\n1:2:ä\n".encode("latin-1"))
    assert from_ts(path, labelled=True, encoding="latin-1").labels == ["ä"]
    with pytest.raises(DataError, match="is not UTF-8"):
        from_ts(path, labelled=True)


def test_a_ts_header_need_not_list_its_labels_and_answering_needs_none_of_them(
    tmp_path: Path,
) -> None:
    path = tmp_path / "a.ts"
    path.write_text(f"{HEADER.replace(' a b', '')}1:2:c\n")
    assert from_ts(path, labelled=True).labels == ["c"]
    path.write_text(f"{HEADER}1:2:?\n")
    assert len(from_ts(path, labelled=False)) == 1
