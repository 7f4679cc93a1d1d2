"""Tensors: exact, read by the safetensors library, hostile files refused before allocation."""

from __future__ import annotations

import hashlib
import json
import re
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from recurra import store
from recurra.errors import RunError


def _weights() -> dict[str, NDArray[Any]]:
    rng = np.random.default_rng(0)
    return {
        "b.weight": rng.standard_normal((3, 4)).astype(np.float32),
        "a.bias": rng.standard_normal(5),
        "step": np.array(7, dtype=np.int64),
        "none": np.zeros((0, 3), dtype=np.float32),
        "mask": np.array([True, False, True]),
        "half": np.arange(3, dtype=np.float16),
    }


def test_tensors_come_back_and_the_safetensors_library_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    store.save_tensors(path, _weights(), {"step": "7", "a": "ü"})
    for found in (store.read_tensors(path), load_file(path)):
        assert set(found) == set(_weights())
        for name, array in _weights().items():
            assert found[name].dtype == array.dtype
            assert found[name].shape == array.shape
            assert np.array_equal(found[name], array)
    header = store.read_header(path)
    assert header.metadata == {"step": "7", "a": "ü"}
    assert header.entries["b.weight"].shape == (3, 4)


def test_what_the_safetensors_library_wrote_is_read(tmp_path: Path) -> None:
    save_file(_weights(), tmp_path / "x.safetensors", {"who": "them"})
    found = store.read_tensors(tmp_path / "x.safetensors")
    assert all(np.array_equal(found[name], array) for name, array in _weights().items())


def test_equal_content_gives_equal_bytes_in_any_order(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    turned = dict(reversed(list(_weights().items())))
    turned["b.weight"] = np.asfortranarray(turned["b.weight"])  # the same values, another layout
    store.save_tensors(one, _weights(), {"x": "1", "y": "2"})
    store.save_tensors(other, turned, {"y": "2", "x": "1"})
    assert one.read_bytes() == other.read_bytes()


def test_big_endian_arrays_are_saved_by_value(tmp_path: Path) -> None:
    store.save_tensors(tmp_path / "x", {"w": np.arange(3, dtype=">f4")}, {})
    assert np.array_equal(store.read_tensors(tmp_path / "x")["w"], [0, 1, 2])


def test_a_file_of_another_model_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    store.save_tensors(path, {"w": np.zeros((2, 3)), "b": np.zeros(2)}, {})
    with pytest.raises(RunError, match=r"w must have shape \(3, 3\) but has \(2, 3\)"):
        store.read_tensors(path, {"w": (3, 3), "b": (2,)})
    with pytest.raises(RunError, match="it lacks c"):
        store.read_tensors(path, {"w": (2, 3), "b": (2,), "c": ()})
    with pytest.raises(RunError, match="it also holds b"):
        store.read_tensors(path, {"w": (2, 3)})


def test_a_hidden_size_of_ten_to_the_twelve_allocates_nothing(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    store.save_tensors(path, {"w": np.zeros((2, 3))}, {})
    huge = 10**12
    header = {"w": {"dtype": "F32", "shape": [4 * huge, huge], "data_offsets": [0, 16 * huge**2]}}
    hostile = _file(tmp_path / "hostile", json.dumps(header).encode(), b"")
    tracemalloc.start()
    with pytest.raises(RunError, match="must have shape"):
        store.read_tensors(path, {"w": (4 * huge, huge)})
    with pytest.raises(RunError, match="no valid place"):
        store.read_tensors(hostile)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000  # bytes: headers and messages, no tensor


def test_a_file_cut_off_anywhere_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    store.save_tensors(path, _weights(), {"step": "7"})
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(RunError, match=r"model\.safetensors is damaged") as caught:
            store.read_tensors(path)
        assert "\n" not in str(caught.value)
    path.write_bytes(whole + b"\0")
    with pytest.raises(RunError, match="is damaged"):
        store.read_tensors(path)


def test_a_file_with_any_byte_of_its_header_changed_is_read_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    store.save_tensors(path, {"w": np.zeros((2, 3), np.float32), "b": np.ones(2)}, {"step": "7"})
    whole = path.read_bytes()
    length = 8 + int.from_bytes(whole[:8], "little")
    for place in range(length):
        for byte in (0, 0x22, 0x30, 0x7B, 0xFF):
            path.write_bytes(whole[:place] + bytes([byte]) + whole[place + 1 :])
            try:
                found = store.read_tensors(path)
            except RunError:
                continue
            assert sum(array.nbytes for array in found.values()) == len(whole) - length


def test_a_file_with_any_byte_changed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    store.save_tensors(path, {"w": np.ones((2, 3), np.float32), "b": np.ones(2)}, {"step": "7"})
    whole = path.read_bytes()
    key = whole.index(b'"sha256"')
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        if key < place < key + len(b'"sha256'):
            # under another name the digits say nothing, and all that they were of is whole
            assert all((array == 1).all() for array in store.read_tensors(path).values())
            continue
        with pytest.raises(RunError, match=r"model\.safetensors is damaged") as caught:
            store.read_tensors(path)
        assert "\n" not in str(caught.value)


def test_the_sha256_in_a_file_is_its_own_with_the_digits_as_zeros(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    store.save_tensors(path, _weights(), {"step": "7", "scalars": "0" * 64})
    whole = path.read_bytes()
    said = re.search(rb'"sha256":"([0-9a-f]{64})"', whole)
    assert said is not None
    blank = whole[: said.start(1)] + b"0" * 64 + whole[said.end(1) :]
    assert hashlib.sha256(blank).hexdigest().encode() == said[1]
    store.check_tensors(path)


def test_a_byte_that_changed_is_told_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    store.save_tensors(path, {"w": np.zeros(100)}, {})
    data = bytearray(path.read_bytes())
    data[-400] ^= 4
    path.write_bytes(data)
    for read in (store.read_tensors, store.check_tensors):
        with pytest.raises(RunError) as caught:
            read(path)
        assert str(caught.value) == (
            f"{path} is damaged: it is no longer what was written, by its SHA-256."
        )


def _file(path: Path, header: bytes, data: bytes, length: int | None = None) -> Path:
    length = len(header) if length is None else length
    path.write_bytes(length.to_bytes(8, "little") + header + data)
    return path


def _entry(**changes: Any) -> dict[str, Any]:
    return {"dtype": "F32", "shape": [2], "data_offsets": [0, 8], **changes}


HOSTILE: dict[str, tuple[bytes, str]] = {
    "not JSON": (b"pickle.loads", "header is not JSON"),
    "not UTF-8": (b'{"\xff": 1}', "header is not JSON"),
    "nested deeply": (b'{"a":' + b"[" * 100_000, "header is not JSON"),
    "a list": (b"[]", "header is no table"),
    "a name twice": (
        b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},'
        b'"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}',
        "a name stands twice",
    ),
    "a shape twice": (
        b'{"a":{"dtype":"F32","shape":[1],"shape":[2],"data_offsets":[0,8]}}',
        "a name stands twice",
    ),
    "metadata of numbers": (b'{"__metadata__":{"a":1}}', "metadata are not strings"),
    "an entry that is no table": (b'{"a":3}', "is not described by"),
    **{
        name: (json.dumps({"a": entry}).encode(), message)
        for name, entry, message in [
            ("an entry too much", _entry(pickle="cos"), "is not described by"),
            ("an unknown type", _entry(dtype="F128"), "of type 'F128'"),
            ("a type that is a list", _entry(dtype=["F32"]), "is of type"),
            ("another type", _entry(dtype="F64"), r"takes 16 bytes, not its place's"),
            ("a negative size", _entry(shape=[-2]), "no valid shape"),
            ("two negative sizes", _entry(shape=[-2, -1]), "no valid shape"),
            ("a size past 64 bits", _entry(shape=[2**63]), "no valid shape"),
            ("sizes whose product overflows", _entry(shape=[2**32, 2**32, 2]), "takes"),
            ("a fraction as size", _entry(shape=[2.0]), "no valid shape"),
            ("True as size", _entry(shape=[True, 2]), "no valid shape"),
            ("too many axes", _entry(shape=[1] * 40 + [2]), "no valid shape"),
            ("a place before the data", _entry(data_offsets=[-8, 0]), "no valid place"),
            ("a place past the data", _entry(data_offsets=[8, 16]), "starts at byte 8, not 0"),
            ("a place that ends first", _entry(data_offsets=[8, 0]), "takes 8 bytes"),
            ("three offsets", _entry(data_offsets=[0, 4, 8]), "no valid place"),
            ("too little data", _entry(shape=[1], data_offsets=[0, 4]), "its tensors take 4 bytes"),
        ]
    },
    "overlapping places": (
        json.dumps({"a": _entry(), "b": _entry(shape=[1], data_offsets=[4, 8])}).encode(),
        "b starts at byte 4, not 8",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_header_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    header, message = HOSTILE[name]
    path = _file(tmp_path / "model.safetensors", header, b"\0" * 8)
    with pytest.raises(RunError, match=message) as caught:
        store.read_tensors(path)
    assert "is damaged" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("length", [9, 10**6, 2**31, 2**63, 2**64 - 1])
def test_a_header_longer_than_its_file_is_not_read(tmp_path: Path, length: int) -> None:
    path = _file(tmp_path / "model.safetensors", b"{}", b"", length)
    with pytest.raises(RunError, match="its header claims"):
        store.read_header(path)


def test_a_missing_file_and_a_folder_are_told(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"has no model\.safetensors"):
        store.read_tensors(tmp_path / "model.safetensors")
    with pytest.raises(RunError, match="is not a regular file"):
        store.read_tensors(tmp_path)
