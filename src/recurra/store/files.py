"""Writing a file so that a kill or a full disk leaves the old one whole, and one writer a folder.

Not here: what is in the files.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TypeAlias

from recurra.errors import RunError, WriteError

Chunk: TypeAlias = bytes | memoryview

LOCK = ".lock"  # stays in the folder, empty: removing a lock file races with whoever opens it


def write_atomic(path: Path, data: bytes | Iterable[Chunk]) -> None:
    """Nothing; `path` then holds `data`, or after a failure or a kill still what it held before.

    The data goes to a temporary file beside it, which is fsynced and renamed; the folder is fsynced
    too. `data` may be chunks, so that large arrays are not copied. Raises RunError, in one line,
    where the file cannot be written.
    """
    chunks = [data] if isinstance(data, bytes) else data
    temporary = path.with_name(f".{path.name}.tmp")
    with writing(path):
        try:
            # What a kill left behind goes first; O_EXCL then never follows a planted link.
            temporary.unlink(missing_ok=True)
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, 0o666)
            try:
                for chunk in chunks:
                    write_all(descriptor, chunk)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.replace(temporary, path)
            sync_folder(path.parent)
        except BaseException:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise


_BINARY = getattr(os, "O_BINARY", 0)  # Windows would translate line ends


def write_all(descriptor: int, chunk: Chunk) -> None:
    """Writes the whole chunk: one os.write may take a part of it only."""
    rest = memoryview(chunk).cast("B") if len(chunk) else memoryview(b"")
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def sync_folder(folder: Path) -> None:
    """Makes a rename in `folder` durable; Windows has no such call and needs none."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_bytes(path: Path) -> bytes:
    """The content of `path`; RunError where it cannot be read."""
    with opened(path) as file:
        return file.read()


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """`path`, open for reading bytes while the block runs.

    Raises RunError where it is missing, cannot be read, or is no regular file: opening a pipe would
    wait for ever, and a device has no end.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise RunError(f"{path} is not a regular file: it is no part of a run.")
        with path.open("rb") as file:
            yield file
    except FileNotFoundError:
        raise RunError(f"{path.parent} has no {path.name}.") from None
    except OSError as error:
        raise RunError(f"cannot read {path}: {error.strerror}.") from error


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns an OSError of the block into a WriteError that says what failed and what is safe."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise WriteError(
            f"cannot write {path}: {reason}. Nothing already saved was lost; "
            "make room or give permission, then go on."
        ) from error


@contextmanager
def lock(folder: Path) -> Iterator[None]:
    """Holds `folder` for this process while the block runs, so that two never train one folder.

    Advisory: reading stays free. The system lets go when the process ends, however it ends.
    Raises RunError where another process holds it.
    """
    path = folder / LOCK
    with writing(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        if not _acquire(descriptor):
            raise RunError(
                f"another process is training {folder}. Wait for it or stop it, "
                "or train into another folder with --out."
            )
        yield
    finally:
        os.close(descriptor)  # which lets go


if sys.platform == "win32":
    import msvcrt

    def _acquire(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _acquire(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return True  # a file system without locks: an advisory lock must not forbid training
        return True
