"""Which files a user means: one, several, a folder's text files, or standard input.

How a file becomes text is in reading.py. Nothing here looks into a file, except to hash it.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from typing import BinaryIO

from recurra.errors import DataError, did_you_mean
from recurra.results import counted

BLOCK_BYTES = 1 << 20  # what is read at a time
NEAR = 0.75  # of difflib's likeness: a letter more, less or another in a name of four

# Endings that are never text: a folder's files with them are passed over.
_BINARY = frozenset(
    {"7z", "bz2", "gz", "jar", "lz4", "rar", "tar", "tgz", "whl", "xz", "zip", "zst"}
    | {"avi", "flac", "m4a", "mkv", "mov", "mp3", "mp4", "mpeg", "ogg", "wav", "webm"}
    | {"bmp", "gif", "heic", "ico", "jpeg", "jpg", "png", "tif", "tiff", "webp"}
    | {"doc", "docx", "odt", "pdf", "ppt", "pptx", "xls", "xlsx"}
    | {"a", "class", "dll", "dylib", "exe", "o", "obj", "pyc", "pyd", "pyo", "so", "wasm"}
    | {"bin", "ckpt", "h5", "mat", "npy", "npz", "onnx", "parquet", "pickle", "pkl", "pt", "pth"}
    | {"safetensors", "sqlite", "eot", "otf", "ttf", "woff", "woff2"}
)
_SPOOL = "recurra-input-"  # folders that hold what was read from a pipe
STDIN = "stdin"  # the file there that holds standard input


@dataclass(frozen=True)
class Source:
    """One file that a run was trained on."""

    path: str  # as the user gave it, '-' for standard input; kept in config.json only
    name: str
    bytes: int
    sha256: str


def expand(paths: Sequence[str]) -> list[Path]:
    """The files that the user's words mean, in order: a list that can be read more than once.

    A folder stands for its text files, at any depth, sorted by their path: hidden, empty and
    known binary files (by their ending) are passed over. '-' is standard input; it and a named
    pipe are copied to a temporary file first, because they can be read only once.

    Raises DataError where something does not exist, cannot be read, is empty, or is a folder
    without text.
    """
    if not paths:
        raise DataError("no file was given. Name a text file, a folder, or - for standard input.")
    found: list[Path] = []
    for given in paths:
        found += _expand_one(given)
    return found


def describe(path: Path) -> Source:
    """The file's name, size and SHA-256, read in blocks."""
    digest = hashlib.sha256()
    size = 0
    with opened(path) as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
            size += len(block)
    spooled = path.parent.name.startswith(_SPOOL)
    name = "-" if spooled else printable(str(path))
    return Source(name, printable(path.name), size, digest.hexdigest())


def printable(name: str) -> str:
    """The name with bytes of no encoding, which Python holds as lone surrogates, as \\xNN."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def told(path: Path) -> str:
    """What a message calls the file: one that was read from a pipe has no name of its own."""
    if not path.parent.name.startswith(_SPOOL):
        return printable(str(path))
    return "standard input" if path.name == STDIN else path.name


def opened(path: Path) -> BinaryIO:
    """The file, open for reading bytes; DataError in one line where that cannot be."""
    try:
        return path.open("rb")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from error


def _expand_one(given: str) -> list[Path]:
    if given == "-":
        return [_spool(sys.stdin.buffer, STDIN, "standard input")]
    path = Path(given)
    try:
        if path.is_dir():
            return _text_files(path)
        if path.is_fifo():
            with opened(path) as pipe:
                return [_spool(pipe, path.name, given)]
        if path.is_file():
            if path.stat().st_size == 0:
                raise DataError(f"{given} is empty: there is nothing in it.")
            return [path]
        exists = path.exists()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise DataError(f"{given!r} cannot be read: {error}.") from error
    if exists:
        raise DataError(f"{given} is not a file, a folder or a pipe.")
    raise DataError(f"there is no file {given!r}.{_neighbour(path)}")


def _text_files(folder: Path) -> list[Path]:
    """The folder's text files at any depth, sorted; links to folders are not followed."""
    kept: list[Path] = []
    passed_over = 0
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(root, name)
            if _looks_like_text(path):
                kept.append(path)
            else:
                passed_over += 1
    if not kept:
        others = f" ({counted(passed_over, 'file')} passed over: hidden, empty or binary)"
        raise DataError(
            f"the folder {folder} has no text file in it{others if passed_over else ''}."
        )
    return sorted(kept, key=lambda path: path.relative_to(folder).parts)


def _looks_like_text(path: Path) -> bool:
    if path.name.startswith(".") or path.suffix.lower().removeprefix(".") in _BINARY:
        return False
    return path.is_file() and path.stat().st_size > 0


def _spool(stream: BinaryIO, name: str, what: str) -> Path:
    """The stream's bytes in a temporary file that goes when the process ends."""
    try:
        folder = Path(tempfile.mkdtemp(prefix=_SPOOL))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        path = folder / name
        with path.open("wb") as copy:
            shutil.copyfileobj(stream, copy, BLOCK_BYTES)
    except OSError as error:
        raise DataError(f"{what} cannot be copied to {tempfile.gettempdir()}: {error}.") from error
    if path.stat().st_size == 0:
        raise DataError(f"{what} is empty: there is nothing in it.")
    return path


def _neighbour(path: Path) -> str:
    """' Did you mean X?' for a file beside it whose name is near without the ending, too.

    Two short names with one ending are alike in most of their letters and may be strangers.
    """
    try:
        entries = list(path.parent.iterdir())
    except OSError:
        return ""
    near = [
        entry.name
        for entry in entries
        if SequenceMatcher(None, entry.stem, path.stem).ratio() >= NEAR
    ]
    return did_you_mean(path.name, near)
