"""Tensors in safetensors files: the same content gives the same bytes, and a hostile file an error.

Written here because the safetensors library orders its metadata at random, so that equal weights
would give unequal files. Read by that library, after every size was checked against the file's.

A file's header has the SHA-256 of the file, its own 64 digits as zeros: so one rename still commits
all, and a byte that changed later is found. A file without one (of the library, or of an older
Recurra) is read unchecked.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from recurra.errors import RunError
from recurra.store.files import Chunk, opened, write_atomic

# The types that NumPy and safetensors share; who has bfloat16 writes float32, which holds it.
_DTYPES = {
    "BOOL": np.dtype("bool"),
    "U8": np.dtype("<u1"),
    "I8": np.dtype("<i1"),
    "U16": np.dtype("<u2"),
    "I16": np.dtype("<i2"),
    "U32": np.dtype("<u4"),
    "I32": np.dtype("<i4"),
    "U64": np.dtype("<u8"),
    "I64": np.dtype("<i8"),
    "F16": np.dtype("<f2"),
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}
_METADATA = "__metadata__"
_SHA256 = "sha256"  # its entry among the metadata
_ZEROS = "0" * 64  # in place of the digits while they are counted
_BLOCK = 1 << 20  # bytes read at a time
_LONGEST_HEADER = 100_000_000  # bytes; the library's own limit
_MOST_AXES = 32  # NumPy 1's limit


@dataclass(frozen=True)
class Entry:
    """Where one tensor lies in its file."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    begin: int  # bytes after the header
    end: int


@dataclass(frozen=True)
class Header:
    """A safetensors header whose every size fits its file."""

    metadata: dict[str, str]
    entries: dict[str, Entry]
    sha256: str | None = None  # of the file, where it says so


def save_tensors(
    path: Path, tensors: Mapping[str, NDArray[Any]], header: Mapping[str, str]
) -> None:
    """Writes the tensors, in order of name, and the strings of `header`, atomically.

    The bytes depend on names, values and `header` alone. Raises RunError where it cannot be
    written.
    """
    # Largest items first, as the format advises: every tensor then starts aligned for its type.
    names = sorted(tensors, key=lambda name: (-tensors[name].dtype.itemsize, name))
    table: dict[str, Any] = {_METADATA: {_SHA256: _ZEROS, **dict(sorted(header.items()))}}
    chunks: list[Chunk] = []
    position = 0
    for name in names:
        array = np.ascontiguousarray(tensors[name])
        end = position + array.nbytes
        table[name] = {
            "dtype": _NAMES[array.dtype.newbyteorder("<")],
            "shape": list(tensors[name].shape),
            "data_offsets": [position, end],
        }
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        chunks.append(little.reshape(-1).view(np.uint8).data)
        position = end
    text = json.dumps(table, separators=(",", ":"), allow_nan=False).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > _LONGEST_HEADER:
        raise RunError(f"{path}: a header of {len(text):,} bytes is more than safetensors allows.")
    size = len(text).to_bytes(8, "little")
    digest = hashlib.sha256(size + text)
    for chunk in chunks:
        digest.update(chunk)
    # the first so many zeros are these: they stand before all that was asked for
    text = text.replace(_ZEROS.encode(), digest.hexdigest().encode(), 1)
    write_atomic(path, [size, text, *chunks])


def read_tensors(
    path: Path, expected: Mapping[str, tuple[int, ...]] | None = None
) -> dict[str, NDArray[Any]]:
    """The tensors of the file, by name.

    `expected`: the names and shapes that it must hold, no more and no less; None: any.
    Raises RunError, before anything is allocated, where the file is missing, damaged or another.
    """
    header = read_header(path)
    if expected is not None:
        shapes = {name: entry.shape for name, entry in header.entries.items()}
        _check_expected(path, shapes, expected)
    _check_digest(path, header)
    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise _damaged(path, str(error).splitlines()[0]) from error


def check_tensors(path: Path) -> None:
    """Nothing where the file is whole; RunError where it is missing or damaged."""
    _check_digest(path, read_header(path))


def read_header(path: Path) -> Header:
    """The header: metadata and, for each tensor, type, shape and place, all checked.

    Reads no tensor. Raises RunError where the file is missing or anything in it does not fit.
    """
    with opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size < 8:
            raise _damaged(path, f"{size} bytes are too few for a header")
        length = int.from_bytes(file.read(8), "little")
        if length > min(size - 8, _LONGEST_HEADER):
            raise _damaged(path, f"its header claims {length:,} bytes and the file has {size:,}")
        text = file.read(length)
    return _parsed(path, text, size - 8 - length)


def _parsed(path: Path, text: bytes, data_size: int) -> Header:
    """The header in `text`, of a file with `data_size` bytes after it."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(pairs)
        if len(table) < len(pairs):
            raise _damaged(path, "a name stands twice in its header")
        return table

    try:
        table = json.loads(text.decode(), object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, "its header is not JSON") from error
    if not isinstance(table, dict):
        raise _damaged(path, "its header is no table")
    metadata = table.pop(_METADATA, {})
    if not isinstance(metadata, dict) or any(type(value) is not str for value in metadata.values()):
        raise _damaged(path, "its metadata are not strings")
    sha256 = metadata.pop(_SHA256, None)
    if sha256 is not None and re.fullmatch("[0-9a-f]{64}", sha256) is None:
        raise _damaged(path, "its SHA-256 is none")
    entries = {name: _entry(path, name, value) for name, value in table.items()}
    position = 0
    for name, entry in sorted(entries.items(), key=lambda item: (item[1].begin, item[1].end)):
        if entry.begin != position:
            raise _damaged(path, f"{name} starts at byte {entry.begin}, not {position}")
        position = entry.end
    if position != data_size:
        raise _damaged(path, f"its tensors take {position:,} bytes and it holds {data_size:,}")
    return Header(metadata, entries, sha256)


def _check_digest(path: Path, header: Header) -> None:
    """RunError where the file is not the one whose SHA-256 its header has."""
    if header.sha256 is None:
        return
    with opened(path) as file:
        size = file.read(8)
        text = file.read(int.from_bytes(size, "little"))
        digest = hashlib.sha256(size + text.replace(header.sha256.encode(), _ZEROS.encode(), 1))
        while block := file.read(_BLOCK):
            digest.update(block)
    if digest.hexdigest() != header.sha256:
        raise _damaged(path, "it is no longer what was written, by its SHA-256")


def _entry(path: Path, name: str, value: Any) -> Entry:
    if not isinstance(value, dict) or set(value) != {"dtype", "shape", "data_offsets"}:
        raise _damaged(path, f"{name} is not described by dtype, shape and data_offsets")
    dtype, shape, offsets = value["dtype"], value["shape"], value["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _DTYPES:
        raise _damaged(path, f"{name} is of type {dtype!r}; known: {', '.join(_DTYPES)}")
    if not _sizes(shape) or len(shape) > _MOST_AXES:
        raise _damaged(path, f"{name} has no valid shape")
    if not _sizes(offsets) or len(offsets) != 2:
        raise _damaged(path, f"{name} has no valid place")
    taken = math.prod(shape) * _DTYPES[dtype].itemsize
    if offsets[1] - offsets[0] != taken:
        raise _damaged(
            path, f"{name} of shape {tuple(shape)} takes {taken:,} bytes, not its place's"
        )
    return Entry(_DTYPES[dtype], tuple(shape), offsets[0], offsets[1])


def _sizes(values: Any) -> bool:
    """Whether these are a list of sizes that an address can hold."""
    return isinstance(values, list) and all(
        type(value) is int and 0 <= value < 2**63 for value in values
    )


def _check_expected(
    path: Path, found: Mapping[str, tuple[int, ...]], expected: Mapping[str, tuple[int, ...]]
) -> None:
    for name, shape in expected.items():
        if name not in found:
            raise RunError(f"{path} does not fit its config: it lacks {name}.")
        if found[name] != tuple(shape):
            raise RunError(
                f"{path} does not fit its config: {name} must have shape {tuple(shape)} "
                f"but has {found[name]}."
            )
    if extra := sorted(set(found) - set(expected)):
        raise RunError(f"{path} does not fit its config: it also holds {extra[0]}.")


def _damaged(path: Path, why: str) -> RunError:
    return RunError(f"{path} is damaged: {why}.")
