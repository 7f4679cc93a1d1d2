"""Images from MNIST's idx files, plain or gzip: each image a sequence of its rows.

An idx file is two zero bytes, a type (8: unsigned bytes), the number of dimensions, each dimension
in four bytes (big-endian), then the values. Labels stand in a file beside that of the images whose
name says `labels-idx1` where the other says `images-idx3`.
"""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.data.examples import Examples
from recurra.data.vectors import kept
from recurra.errors import DataError
from recurra.text.files import BLOCK_BYTES, opened

BYTES = 8  # the type of an unsigned byte
LARGEST = 2**34  # bytes that are read of one file: no image set of this kind has more
IMAGES, LABELS = "images", "labels"


def is_idx(path: Path) -> bool:
    """Whether the file's name is that of an idx file: …-idx3-ubyte, …idx1-ubyte.gz."""
    return "idx1-ubyte" in path.name or "idx3-ubyte" in path.name


def from_images(path: Path, *, labelled: bool) -> Examples:
    """The images (rows, columns) of bytes, with the labels of the file beside them as text.

    Raises DataError where a file is damaged, has another number of dimensions, or the labels are
    missing or of another number.
    """
    images = read(path, 3)
    if not images.shape[1]:  # no row in any, and their number may be any
        return Examples([], [], [], (path,), len(images))
    if not labelled:
        return kept(path, list(images), [])
    beside = labels_of(path)
    labels = read(beside, 1)
    if len(labels) != len(images):
        raise DataError(f"{beside} has {len(labels):,} labels, {path} {len(images):,} images.")
    found = kept(path, list(images), [str(label) for label in labels.tolist()])
    return Examples(found.inputs, found.labels, found.places, (path, beside), found.left_out)


def labels_of(path: Path) -> Path:
    """The file of the labels that belongs to a file of images; DataError where there is none."""
    name = path.name.replace(IMAGES, LABELS).replace("idx3", "idx1")
    beside = path.with_name(name)
    if name == path.name or not beside.is_file():
        raise DataError(f"{path} needs its labels beside it, in {beside.name}: that is not there.")
    return beside


def read(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """The array in an idx file of that many dimensions; DataError where it is damaged."""
    with opened(path) as raw:
        zipped = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        file: Any = gzip.GzipFile(fileobj=raw) if zipped else raw
        try:
            head = file.read(4 + 4 * dimensions)
            shape = _shape(path, head, dimensions)
            size = math.prod(shape)
            data = _at_most(file, size + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{path} is damaged: {error}.") from None
    if len(data) != size:
        more = "more than" if len(data) > size else f"{len(data):,} of"
        raise DataError(f"{path} is damaged: it has {more} the {size:,} values that it announces.")
    return np.frombuffer(data, np.uint8).reshape(shape)


def _at_most(file: Any, size: int) -> bytes:
    """Up to `size` bytes in blocks: what a file announces is not allocated before it is there."""
    blocks = []
    while size > 0 and (block := file.read(min(size, BLOCK_BYTES))):
        blocks.append(block)
        size -= len(block)
    return b"".join(blocks)


def _shape(path: Path, head: bytes, dimensions: int) -> tuple[int, ...]:
    if head[:4] != bytes([0, 0, BYTES, dimensions]):
        raise DataError(
            f"{path} is not an idx file of bytes in {dimensions} dimensions: it begins with "
            f"{head[:4].hex(' ') or 'nothing'}."
        )
    if len(head) < 4 + 4 * dimensions:
        raise DataError(f"{path} is damaged: it ends before the sizes that it begins with.")
    shape = tuple(int(size) for size in np.frombuffer(head, ">u4", offset=4))
    if math.prod(shape) > LARGEST:
        raise DataError(f"{path} is damaged: it announces {' x '.join(map(str, shape))} values.")
    return shape
