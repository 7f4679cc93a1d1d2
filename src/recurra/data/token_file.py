"""A text as one array of tokens, encoded once: in memory if small, else a memory-mapped file.

The file of a large text stays in the user's cache under a key made from the text's hash and the
tokenizer, so that the next run opens it at once. Nothing here holds more than a few chunks of text.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from recurra.errors import DataError
from recurra.text.files import Source, describe
from recurra.text.reading import Progress, chunks
from recurra.text.tokenizers import Tokenizer

Array: TypeAlias = NDArray[np.unsignedinteger[Any]]  # uint8, uint16 or uint32 by the vocabulary

IN_MEMORY_BYTES = 32 << 20  # a text below this many bytes is encoded in memory, and not cached
_VERSION = 1  # of the file's layout and of how each kind of token is cut
_HEADER_BYTES = 64  # of the file, so that the ids begin aligned
_BLOCK = 1 << 20  # ids that are counted at a time


@dataclass(frozen=True)
class Tokens:
    """A text's tokens in order, and what it is made of."""

    ids: Array  # (tokens,)
    counts: NDArray[np.int64]  # (V,): how often each id occurs
    sources: tuple[Source, ...]
    notes: tuple[str, ...] = ()  # what a user must be told

    @property
    def bytes(self) -> int:
        """The size of the files the tokens came from."""
        return sum(source.bytes for source in self.sources)


def encode_files(
    files: Sequence[Path],
    tokenizer: Tokenizer,
    encoding: str | None = None,
    progress: Progress | None = None,
) -> Tokens:
    """The files' tokens, one file after the other.

    files: as `recurra.text.files.expand` gives them. progress: told of the bytes encoded; not
    called where the tokens come from the cache.

    Raises DataError where a file is not text in that encoding, holds a symbol the tokenizer has no
    id for, or has not one token, and where there is no room for the tokens.
    """
    sources = tuple(describe(path) for path in files)
    raw = tokenizer.kind == "byte"
    ids = _encoded(chunks(files, encoding, raw=raw, progress=progress), tokenizer)
    if sum(source.bytes for source in sources) < IN_MEMORY_BYTES:
        return _tokens(_in_memory(ids, tokenizer), tokenizer, sources)
    path = cache_folder() / "tokens" / f"{_key(sources, tokenizer, encoding)}.bin"
    if (cached := _cached(path, tokenizer)) is not None:
        return _tokens(cached, tokenizer, sources)
    try:
        return _tokens(_in_cache(path, ids, tokenizer), tokenizer, sources)
    except OSError as error:
        note = f"the tokens are not kept for the next run: {path.parent}: {error.strerror}."
    ids = _encoded(chunks(files, encoding, raw=raw, progress=progress), tokenizer)
    return _tokens(_in_temporary_file(ids, tokenizer), tokenizer, sources, (note,))


def encode_text(text: str, tokenizer: Tokenizer, source: Source) -> Tokens:
    """The tokens of a text that is already in memory."""
    return _tokens(_in_memory(_encoded([text], tokenizer), tokenizer), tokenizer, (source,))


def cache_folder() -> Path:
    """$RECURRA_CACHE, else recurra/ in $XDG_CACHE_HOME, else in ~/.cache. It may be deleted."""
    if chosen := os.environ.get("RECURRA_CACHE"):
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "recurra"


def release(ids: Array) -> None:
    """Gives memory-mapped pages back to the system; they are read again when next touched.

    Without it a walk over a large file would leave all of it in the process's resident memory.
    """
    owner: Any = ids
    while isinstance(owner, np.ndarray):
        owner = owner.base
    if isinstance(owner, memoryview):
        owner = owner.obj
    if isinstance(owner, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        owner.madvise(mmap.MADV_DONTNEED)


def _encoded(texts: Iterable[str], tokenizer: Tokenizer) -> Iterator[Array]:
    kind = _dtype(tokenizer)
    for text in texts:
        yield tokenizer.encode(text).astype(kind)


def _dtype(tokenizer: Tokenizer) -> np.dtype[np.unsignedinteger[Any]]:
    return np.min_scalar_type(tokenizer.vocab_size - 1).newbyteorder("<")


def _in_memory(ids: Iterable[Array], tokenizer: Tokenizer) -> Array:
    return np.concatenate([np.empty(0, _dtype(tokenizer)), *ids])


def _in_cache(path: Path, ids: Iterable[Array], tokenizer: Tokenizer) -> Array:
    """The ids in a file of that name, which is either whole or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
        try:
            _write(file, ids)
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise
        return _mapped(file, tokenizer)


def _in_temporary_file(ids: Iterable[Array], tokenizer: Tokenizer) -> Array:
    """The ids in a nameless file that goes with the process."""
    try:
        with tempfile.TemporaryFile() as file:
            _write(file, ids)
            return _mapped(file, tokenizer)
    except OSError as error:
        raise DataError(
            f"the tokens cannot be stored: {error.strerror}. They need about as much room as the "
            "text; name a folder that has it in RECURRA_CACHE."
        ) from error


def _write(file: IO[bytes], ids: Iterable[Array]) -> None:
    """Header and ids; the header, with the number of ids, is written last."""
    file.write(b" " * _HEADER_BYTES)
    total = 0
    for part in ids:
        file.write(part.data)
        total += len(part)
    file.seek(0)
    file.write(_header(total))
    file.flush()
    os.fsync(file.fileno())


def _header(total: int) -> bytes:
    return f"recurra tokens {_VERSION} {total}\n".encode().ljust(_HEADER_BYTES)


def _mapped(file: IO[bytes], tokenizer: Tokenizer) -> Array:
    mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return np.frombuffer(mapping, _dtype(tokenizer), offset=_HEADER_BYTES)


def _cached(path: Path, tokenizer: Tokenizer) -> Array | None:
    """The ids in the cache, or None where the file is absent or not what its header says."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size - _HEADER_BYTES
            total, rest = divmod(size, _dtype(tokenizer).itemsize)
            if rest or total < 1 or file.read(_HEADER_BYTES) != _header(total):
                return None
            ids = _mapped(file, tokenizer)
    except (OSError, ValueError):
        return None
    return ids if _counts(ids, tokenizer.vocab_size) is not None else None


def _counts(ids: Array, vocab_size: int) -> NDArray[np.int64] | None:
    """How often each id occurs, or None where one is outside the vocabulary."""
    counts = np.zeros(vocab_size, np.int64)
    for start in range(0, len(ids), _BLOCK):
        found = np.bincount(ids[start : start + _BLOCK], minlength=vocab_size)
        if len(found) > vocab_size:
            return None
        counts += found
        release(ids)
    return counts


def _tokens(
    ids: Array, tokenizer: Tokenizer, sources: tuple[Source, ...], notes: tuple[str, ...] = ()
) -> Tokens:
    names = ", ".join(source.name for source in sources)
    if not len(ids):
        raise DataError(f"{names}: there is not one {tokenizer.kind} token in it.")
    counts = _counts(ids, tokenizer.vocab_size)
    assert counts is not None  # a tokenizer gives no other ids, and the cache was checked
    if np.count_nonzero(counts) == 1:
        symbol = tokenizer.pieces([int(counts.argmax())])[0]
        notes = (*notes, f"{names}: one symbol repeated, {symbol!r}: nothing else can be learned.")
    return Tokens(ids, counts, sources, notes)


def _key(sources: Sequence[Source], tokenizer: Tokenizer, encoding: str | None) -> str:
    facts = [
        _VERSION,
        [source.sha256 for source in sources],
        encoding,
        hashlib.sha256(tokenizer.to_json()).hexdigest(),
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()
