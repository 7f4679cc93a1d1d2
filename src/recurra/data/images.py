"""Pictures in folders, a folder a class: each a sequence of its rows of grey values.

All have one width, because a row is one step's vector; their heights may differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.data.examples import Examples
from recurra.errors import DataError, MissingExtraError

ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm"})


def is_image(path: Path) -> bool:
    """Whether the file's ending is that of a picture."""
    return path.suffix.lower() in ENDINGS


def from_class_folders(folders: Mapping[str, Sequence[Path]]) -> Examples:
    """A picture an example, its label the name of its folder; DataError where widths differ."""
    pairs = [(label, path) for label, paths in folders.items() for path in paths]
    paths = [path for _, path in pairs]
    return Examples(
        read_all(paths), [label for label, _ in pairs], [str(path) for path in paths], tuple(paths)
    )


def read_all(paths: Sequence[Path]) -> list[NDArray[np.uint8]]:
    """The grey values (rows, columns) of each picture; DataError where widths differ."""
    found = [read(path) for path in paths]
    for path, rows in zip(paths, found, strict=True):
        if rows.shape[1] != found[0].shape[1]:
            raise DataError(
                f"{path} is {rows.shape[1]} pixels wide and {paths[0]} {found[0].shape[1]}: a row "
                "is a step's vector, so bring all to one width."
            )
    return found


def read(path: Path) -> NDArray[np.uint8]:
    """The picture's grey values (rows, columns).

    Raises DataError where it is none, MissingExtraError without Pillow.
    """
    try:
        from PIL import Image
    except ImportError:
        raise MissingExtraError('pictures need Pillow: pip install "recurra[images]"') from None
    damaged: tuple[type[Any], ...] = (
        OSError,
        ValueError,
        SyntaxError,
        Image.DecompressionBombError,
    )
    try:
        with Image.open(path) as picture:
            return np.asarray(picture.convert("L"))
    except damaged as error:
        raise DataError(f"{path} cannot be read as a picture: {error}.") from None
