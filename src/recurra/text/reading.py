"""From a file's bytes to text, whole or in chunks that can be tokenised one by one.

UTF-8 (with a byte order mark or without) and UTF-16 with its mark are read. Anything else is an
error that says where: no encoding is ever guessed. Line ends stay as they are.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from encodings.aliases import aliases
from pathlib import Path
from typing import TypeAlias

from recurra.errors import DataError, FlagError, did_you_mean
from recurra.text.files import BLOCK_BYTES, opened, told

Progress: TypeAlias = Callable[[int, int], None]  # bytes done, bytes in all

_BORDER_REACH = 1 << 16  # how far back from a chunk's end a border is looked for, in characters
_MARKS = (  # UTF-32's little-endian mark begins with UTF-16's: it must be asked for first
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


@dataclass(frozen=True)
class _Code:
    """How a file's bytes are to be decoded."""

    encoding: str
    mark: int  # bytes of byte order mark to pass over
    byte_tokens: bool  # whether an error may advise them
    errors: str = "strict"
    nul: bool = False  # whether a NUL may stand in the text

    @property
    def advice(self) -> str:
        """What to do where it is not text in that encoding."""
        or_bytes = ", or learn it as bytes: --tokens byte" if self.byte_tokens else ""
        return f"Give --encoding NAME (latin-1, cp1252, gb18030, …){or_bytes}."


def read_text(path: Path, encoding: str | None = None) -> str:
    """The whole text of a file, line ends as they are; see `chunks` for the rules and errors."""
    return "".join(chunks([path], encoding))


def chunks(
    files: Sequence[Path],
    encoding: str | None = None,
    *,
    raw: bool | None = None,
    progress: Progress | None = None,
) -> Iterator[str]:
    """The files' text in order, in pieces of about a million characters.

    A piece ends at the end of its file, or before white space that follows something else, so
    that every kind of token may be cut from each piece alone.

    files: as `expand` gives them. encoding: a name Python knows, or None for UTF-8 and for UTF-16
    with its mark. raw: bytes that are not UTF-8 pass as surrogate escapes, which the byte
    tokenizer turns back (the mark is then part of the data); None where there is no byte tokenizer
    to advise in an error. progress: told of bytes read.

    Raises FlagError naming the file and the byte offset of what is not text in that encoding.
    """
    total = sum(path.stat().st_size for path in files) if progress else 0
    done = 0
    for path in files:
        with opened(path) as file:
            code = _code(path, file.read(4), encoding, raw)
            file.seek(code.mark)
            done += code.mark
            pending = ""
            for text, size in _decoded(path, iter(lambda: file.read(BLOCK_BYTES), b""), code):
                pending += text
                cut = _border(pending) if size else len(pending)  # size 0: the file's end
                if cut:
                    yield pending[:cut]
                pending = pending[cut:]
                done += size
                if progress:
                    progress(done, total)


def _code(path: Path, head: bytes, encoding: str | None, raw: bool | None) -> _Code:
    byte_tokens = raw is not None
    if encoding is None and raw:
        return _Code("utf-8", 0, byte_tokens, "surrogateescape", nul=True)
    mark, marked = next(
        ((mark, name) for mark, name in _MARKS if head.startswith(mark)), (b"", "utf-8")
    )
    if encoding is None:
        if marked == "utf-32":
            found = f"{told(path)} is UTF-32 by its byte order mark."
            raise FlagError(found, "Give --encoding utf-32.")
        return _Code(marked, len(mark), byte_tokens)
    name = _known(encoding)
    return _Code(name, len(mark) if name == marked == "utf-8" else 0, byte_tokens, nul=True)


def _known(encoding: str) -> str:
    """Python's own name of the encoding; DataError if it is none, or not one of text."""
    try:
        "a".encode(encoding)  # refuses Python's codecs that turn bytes into bytes
        codecs.getincrementaldecoder(encoding)
        return codecs.lookup(encoding).name
    except (LookupError, UnicodeError, ValueError) as error:
        name = encoding.lower().replace("-", "_")
        near = "" if name in aliases else did_you_mean(name, aliases)  # rot13 is one, not of text
        raise DataError(f"{encoding!r} is no text encoding that Python knows.{near}") from error


def _decoded(path: Path, blocks: Iterator[bytes], code: _Code) -> Iterator[tuple[str, int]]:
    """Each block as text, with the block's size; an error's offset counts from the file's start."""
    decoder = codecs.getincrementaldecoder(code.encoding)(code.errors)
    offset = code.mark
    for block in _with_end(blocks):
        held = len(decoder.getstate()[0])  # bytes of a symbol that the last block broke
        try:
            text = decoder.decode(block, final=not block)
        except UnicodeDecodeError as error:
            raise _not_text(path, error, offset - held, code) from error
        except UnicodeError as error:  # UTF-16 and -32 without a mark, and the rarer codecs
            raise FlagError(
                f"{told(path)} is not {code.encoding}: {error}.", code.advice
            ) from error
        if not code.nul and "\0" in text:
            at = offset - held + len(text[: text.index("\0")].encode(code.encoding))
            raise _binary(path, at, code)
        offset += len(block)
        yield text, len(block)


def _with_end(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The blocks, then an empty one at which the decoder must have nothing left."""
    yield from blocks
    yield b""


def _not_text(path: Path, error: UnicodeDecodeError, start: int, code: _Code) -> DataError:
    at = start + error.start
    if not code.nul and code.encoding == "utf-8" and b"\0" in error.object:
        return _binary(path, start + error.object.index(b"\0"), code)
    byte = error.object[error.start]
    name = "UTF-8" if code.encoding == "utf-8" else code.encoding
    where = f"byte 0x{byte:02x} at offset {at:,} ({error.reason})"
    return FlagError(f"{told(path)} is not {name}: {where}.", code.advice)


def _binary(path: Path, offset: int, code: _Code) -> DataError:
    found = f"{told(path)} is binary, not text: a NUL byte at offset {offset:,}."
    if code.byte_tokens:
        return FlagError(found, "To learn it byte by byte: --tokens byte.")
    return DataError(found)


def _border(text: str) -> int:
    """Where to cut: before the last white space that follows something else, else at the end.

    Only a blank, a tab and a line end count as white space here: all tokenizers agree on them.
    """
    for at in range(len(text) - 1, max(0, len(text) - _BORDER_REACH), -1):
        if text[at] in " \n\t\r" and not text[at - 1].isspace():
            return at
    return len(text)
