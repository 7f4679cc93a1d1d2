"""Bytes and byte pairs as tokens: any text has ids, there is no unknown symbol.

`byte` is the 256 bytes, id = value, whether or not they occur: nothing to learn beforehand and
any file can be read. `bpe` merges frequent pairs of bytes (sennrich2016, on bytes as in GPT-2);
finding the merges and applying them is done by the library `tokenizers`, an extra; turning ids
back into text needs nothing.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from recurra.errors import ConfigError, DataError, MissingExtraError, RunError
from recurra.text import _format
from recurra.text._tokenizer import Ids, TextStream, Tokenizer


def _printable_bytes() -> tuple[str, ...]:
    """The format's character for each byte: itself where visible, else one from U+0100 on."""
    visible = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    hidden = iter(range(0x100, 0x200))
    return tuple(chr(byte if byte in visible else next(hidden)) for byte in range(256))


_PART = 1 << 14  # characters that a part of a text has at least
_BORDER = re.compile(r"(?<=\S)[ \n\t\r]")  # where `reading.chunks` cuts, too
_LETTERS = _printable_bytes()
_BYTES = {letter: byte for byte, letter in enumerate(_LETTERS)}


class ByteTokenizer(Tokenizer):
    """The 256 bytes of UTF-8; surrogate escapes stand for bytes that are not UTF-8."""

    kind = "byte"

    @property
    def vocab_size(self) -> int:
        return 256

    @property
    def unknown_id(self) -> int | None:
        return None

    @property
    def newline_id(self) -> int | None:
        return ord("\n")

    def unseen(self, text: str) -> list[str]:
        return []

    def encode(self, text: str) -> Ids:
        return np.frombuffer(_utf8(text, "surrogateescape"), np.uint8).astype(np.int32)

    def stream(self) -> TextStream:
        return _ByteStream([bytes([value]) for value in range(256)])

    def pieces(self, ids: Iterable[int]) -> list[str]:
        return [_visible(bytes([index])) for index in ids]

    def to_json(self) -> bytes:
        return _format.dump(self._document())

    def _document(self) -> _format.Json:
        form = _format.byte_level(use_regex=False)
        return _format.document(_format.merging(_LETTERS, []), form, form, None)


class BPETokenizer(Tokenizer):
    """Byte pairs. `symbols` and `merges` are written in the format's letters, one a byte."""

    kind = "bpe"

    def __init__(self, symbols: Sequence[str], merges: Sequence[tuple[str, str]]) -> None:
        self._symbols = tuple(symbols)
        self._merges = tuple(merges)
        self._values = [bytes(_BYTES[letter] for letter in symbol) for symbol in self._symbols]
        self._encoder: Any = None  # the library's tokenizer, made when first needed

    @property
    def vocab_size(self) -> int:
        return len(self._symbols)

    @property
    def unknown_id(self) -> int | None:
        return None

    @property
    def newline_id(self) -> int | None:
        return self._symbols.index(_LETTERS[ord("\n")])

    def unseen(self, text: str) -> list[str]:
        return []

    def encode(self, text: str) -> Ids:
        if self._encoder is None:
            self._encoder = _library().Tokenizer.from_str(self.to_json().decode())
        parts = self._encoder.encode_batch(list(_parts(text)))
        return np.array([index for part in parts for index in part.ids], np.int32)

    def stream(self) -> TextStream:
        return _ByteStream(self._values)

    def pieces(self, ids: Iterable[int]) -> list[str]:
        return [_visible(self._values[index]) for index in ids]

    def to_json(self) -> bytes:
        return _format.dump(self._document())

    def _document(self) -> _format.Json:
        form = _format.byte_level(use_regex=True)
        return _format.document(_format.merging(self._symbols, self._merges), form, form, None)


class _ByteStream:
    """Gives a character when its last byte has come; U+FFFD for bytes that make none."""

    def __init__(self, values: Sequence[bytes]) -> None:
        self._values = values
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def push(self, index: int) -> str:
        return self._decoder.decode(self._values[index])

    def end(self) -> str:
        return self._decoder.decode(b"", final=True)


def read_bytes(content: _format.Json) -> ByteTokenizer:
    """The byte tokenizer, if the parsed file is exactly its own."""
    tokenizer = ByteTokenizer()
    _format.require_same(content, tokenizer._document())
    return tokenizer


def read_bpe(content: _format.Json) -> BPETokenizer:
    """The tokenizer of a parsed file; RunError where it is not one of ours."""
    symbols = _format.symbols_of(content["model"])
    for symbol in symbols:
        if not symbol or any(letter not in _BYTES for letter in symbol):
            raise RunError(f"tokenizer.json is damaged: {symbol[:40]!r} does not stand for bytes.")
    if missing := [letter for letter in _LETTERS if letter not in content["model"]["vocab"]]:
        raise RunError(f"tokenizer.json is damaged: it lacks {len(missing)} of the 256 bytes.")
    tokenizer = BPETokenizer(symbols, _format.merges_of(content["model"]))
    _format.require_same(content, tokenizer._document())
    return tokenizer


def fit_bpe(texts: Iterable[str], vocab_size: int) -> BPETokenizer:
    """The 256 bytes and the merges of the most frequent pairs, up to vocab_size symbols in all."""
    if not 257 <= vocab_size <= 1_000_000:
        raise ConfigError(
            f"bpe_vocab = {vocab_size}: must be 257 to 1,000,000 (256 of them are the bytes)."
        )
    library = _library()
    learner = library.Tokenizer(library.models.BPE())
    learner.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = library.trainers.BpeTrainer(
        vocab_size=vocab_size, initial_alphabet=list(_LETTERS), show_progress=False
    )
    learner.train_from_iterator((part for text in texts for part in _parts(text)), trainer)
    model = _format.parse(learner.to_str().encode())["model"]
    if not model["merges"]:
        raise DataError("no two bytes of the text can be merged: use --tokens char or byte.")
    return BPETokenizer(_format.symbols_of(model), _format.merges_of(model))


def _parts(text: str) -> Iterator[str]:
    """The text cut where no token reaches across; the library holds 256 parts at a time."""
    _utf8(text, "strict")
    start = 0
    while start < len(text):
        border = _BORDER.search(text, start + _PART)
        end = border.start() if border else len(text)
        yield text[start:end]
        start = end


def _library() -> Any:
    try:
        import tokenizers
    except ImportError as error:
        raise MissingExtraError(
            'BPE tokens need the library tokenizers: pip install "recurra[bpe]".'
        ) from error
    return tokenizers


def _utf8(text: str, errors: str) -> bytes:
    try:
        return text.encode("utf-8", errors)
    except UnicodeEncodeError as error:
        raise DataError(
            f"the text has half a surrogate pair, U+{ord(text[error.start]):04X}, at character "
            f"{error.start:,}: that is no text."
        ) from error


def _visible(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")
