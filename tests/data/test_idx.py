"""idx files: images as rows of bytes, damage in one line."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from recurra.data import idx
from recurra.errors import DataError

IMAGES = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
NAMES = ("t-images-idx3-ubyte", "t-labels-idx1-ubyte")


def as_idx(array: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bytes:
    head = bytes([0, 0, 8, array.ndim])
    return head + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.fixture(params=["", ".gz"])
def images(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    pack = gzip.compress if request.param else bytes
    for name, array in zip(NAMES, (IMAGES, np.array([7, 0], np.uint8)), strict=True):
        (tmp_path / f"{name}{request.param}").write_bytes(pack(as_idx(array)))
    return tmp_path / f"{NAMES[0]}{request.param}"


def test_each_image_is_a_sequence_of_its_rows_with_the_label_beside_it(images: Path) -> None:
    found = idx.from_images(images, labelled=True)
    assert np.array_equal(np.stack(found.inputs), IMAGES)
    assert found.labels == ["7", "0"]
    assert [path.name[:8] for path in found.files] == ["t-images", "t-labels"]


def test_a_damaged_file_is_one_clear_line(images: Path) -> None:
    whole = images.read_bytes()
    for broken in (whole[:-3], whole[:10], b"", b"text that is none"):
        images.write_bytes(broken)
        with pytest.raises(DataError, match=r"is damaged|is not an idx file of bytes"):
            idx.from_images(images, labelled=True)


def test_values_too_few_or_too_many_are_counted(tmp_path: Path) -> None:
    path = tmp_path / NAMES[0]
    path.write_bytes(as_idx(IMAGES)[:-1])
    with pytest.raises(DataError, match="it has 23 of the 24 values that it announces"):
        idx.read(path, 3)
    path.write_bytes(as_idx(IMAGES) + b"x")
    with pytest.raises(DataError, match="it has more than the 24 values"):
        idx.read(path, 3)
    path.write_bytes(bytes([0, 0, 8, 3]) + b"\xff" * 12)
    with pytest.raises(DataError, match="it announces 4294967295 x 4294967295 x 4294967295"):
        idx.read(path, 3)
    path.write_bytes(bytes([0, 0, 13, 3]) + bytes(12))
    with pytest.raises(DataError, match="begins with 00 00 0d 03"):
        idx.read(path, 3)


def test_a_file_that_announces_far_more_than_it_has_takes_no_memory_for_it(tmp_path: Path) -> None:
    path = tmp_path / NAMES[0]
    path.write_bytes(bytes([0, 0, 8, 3]) + struct.pack(">3I", 2**11, 2**11, 2**11) + b"few")
    with pytest.raises(DataError, match="it has 3 of the 8,589,934,592 values"):
        idx.read(path, 3)


def test_images_without_a_row_are_counted_and_not_listed(tmp_path: Path) -> None:
    path = tmp_path / NAMES[0]
    path.write_bytes(bytes([0, 0, 8, 3]) + struct.pack(">3I", 2**32 - 1, 0, 28))
    found = idx.from_images(path, labelled=False)
    assert (len(found), found.left_out) == (0, 2**32 - 1)


def test_labels_that_are_missing_or_of_another_number_are_named(images: Path) -> None:
    labels = idx.labels_of(images)
    labels.write_bytes(as_idx(np.array([1], np.uint8)))
    with pytest.raises(DataError, match=r"has 1 labels, .* 2 images"):
        idx.from_images(images, labelled=True)
    labels.unlink()
    with pytest.raises(DataError, match=r"needs its labels beside it, in t-labels-idx1-ubyte"):
        idx.from_images(images, labelled=True)
    assert len(idx.from_images(images, labelled=False)) == 2
