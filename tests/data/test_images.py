"""Pictures as sequences of their rows."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from recurra.data import images
from recurra.errors import DataError, MissingExtraError

Image = pytest.importorskip("PIL.Image", reason="pictures need Pillow")
GREY = np.arange(12, dtype=np.uint8).reshape(3, 4) * 20


def test_a_picture_is_its_rows_of_grey_values(tmp_path: Path) -> None:
    Image.fromarray(GREY).save(tmp_path / "a.png")
    assert np.array_equal(images.read(tmp_path / "a.png"), GREY)
    white = np.full((2, 4, 3), 255, np.uint8)
    Image.fromarray(white).save(tmp_path / "b.png")
    found = images.from_class_folders({"x": [tmp_path / "a.png"], "y": [tmp_path / "b.png"]})
    assert found.labels == ["x", "y"]
    assert (found.inputs[1] == 255).all()


def test_widths_that_differ_are_refused(tmp_path: Path) -> None:
    for name, width in (("a.png", 4), ("b.png", 3)):
        Image.fromarray(GREY[:, :width]).save(tmp_path / name)
    with pytest.raises(DataError, match=r"b\.png is 3 pixels wide and .*a\.png 4"):
        images.read_all([tmp_path / "a.png", tmp_path / "b.png"])


def test_what_is_no_picture_is_refused_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(GREY).save(path)
    for content in (path.read_bytes()[:40], b"text", b""):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"a\.png cannot be read as a picture"):
            images.read(path)


def test_without_pillow_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MissingExtraError, match=r"pip install \"recurra\[images\]\""):
        images.read(tmp_path / "a.png")
