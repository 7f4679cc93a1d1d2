"""Vectors of words that were learned elsewhere, from a text or an .npz file.

text   a word and its numbers a line, blanks between, as word2vec, GloVe and fastText write it;
       a first line of two whole numbers (how many, how long) is passed over
.npz   words (N,) text and vectors (N, E)
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recurra.data.vectors import NOT_FINITE, read_arrays
from recurra.errors import DataError
from recurra.results import counted
from recurra.text.reading import chunks

Vectors = dict[str, NDArray[np.float32]]


def read(path: Path, wanted: Collection[str], encoding: str | None = None) -> Vectors:
    """The vector (E,) of each wanted word that the file has; of a word twice there, the first.

    Raises DataError naming the line whose length differs or that holds no number, the line (in an
    .npz the word) of a wanted vector that is not finite, and where no wanted word is there.
    """
    wanted = set(wanted)
    zipped = path.suffix == ".npz"
    found: Vectors = {}
    for number, word, vector in _npz(path) if zipped else _lines(path, encoding):
        if word in wanted and word not in found:
            if not np.isfinite(vector).all():
                raise DataError(
                    f"{path}, {'word' if zipped else 'line'} {number}: the vector of {word!r} "
                    f"{NOT_FINITE}."
                )
            found[word] = vector
    if not found:
        raise DataError(f"{path} has a vector for none of the {len(wanted):,} words of the data.")
    return found


def _npz(path: Path) -> Iterator[tuple[int, str, NDArray[np.float32]]]:
    arrays = read_arrays(path, "words, vectors")
    words, vectors = arrays.get("words"), arrays.get("vectors")
    if words is None or vectors is None:
        raise DataError(f"{path} must hold words and vectors. It has: {', '.join(arrays)}.")
    if words.dtype.kind != "U" or vectors.ndim != 2 or words.shape != vectors.shape[:1]:
        raise DataError(
            f"{path}: words (N,) must be text and vectors (N, E), but they are {words.shape} of "
            f"{words.dtype} and {vectors.shape}."
        )
    if vectors.dtype.kind != "f" or not vectors.shape[1]:
        raise DataError(f"{path}: vectors must be floating-point numbers, not {vectors.dtype}.")
    with np.errstate(over="ignore"):  # what is too large for float32 is refused as not finite
        rounded = vectors.astype(np.float32)
    for number, (word, vector) in enumerate(zip(words.tolist(), rounded, strict=True), start=1):
        yield number, word, vector


def _lines(path: Path, encoding: str | None) -> Iterator[tuple[int, str, NDArray[np.float32]]]:
    size = 0
    for number, line in enumerate(_split(path, encoding), start=1):
        fields = line.rstrip().split(" ")
        if not line.strip() or (number == 1 and len(fields) == 2):
            continue
        size = size or len(fields) - 1
        if not size:
            raise DataError(f"{path}, line {number}: no number behind a word and a blank.")
        if len(fields) - 1 < size:
            found = counted(len(fields) - 1, "number")
            raise DataError(f"{path}, line {number}: {found}, and {size} in the line before.")
        # a word may have blanks in it: the last `size` fields are its numbers
        word = " ".join(fields[: len(fields) - size])
        try:
            with np.errstate(over="ignore"):  # as above
                vector = np.array(fields[-size:], np.float32)
        except ValueError as error:
            raise DataError(f"{path}, line {number}: {error}.") from None
        yield number, word, vector


def _split(path: Path, encoding: str | None) -> Iterator[str]:
    """The file's lines; it may be larger than memory, so it is read in pieces."""
    rest = ""
    for text in chunks([path], encoding):
        *lines, rest = (rest + text).split("\n")
        yield from lines
    yield rest
