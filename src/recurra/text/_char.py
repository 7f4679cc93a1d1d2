"""Characters as tokens: one id a Unicode code point.

A vocabulary of all the characters of the training files has no unknown symbol: figures count
exactly the text's own symbols, and a text with any other character is an error that names it.
Where a vocabulary was cut (min_count, max_vocab), what fell out is U+FFFD, Unicode's own
replacement character, and so is every character never seen.

Special symbols have names of more than one character, so that no text can hold one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from recurra.errors import DataError, RunError
from recurra.text import _format
from recurra.text._tokenizer import Ids, SymbolTokenizer, TextStream
from recurra.text.vocabulary import Vocabulary, choose

UNKNOWN = "\ufffd"
_NO_UNKNOWN = "<unk>"  # the format wants a name; more than one character, so never a symbol
_CODE_POINTS = 0x110000


class CharTokenizer(SymbolTokenizer):
    """A vocabulary of single characters, looked up by a table over code points.

    Those of its symbols that are longer are `special`: never found in text, '' when decoded.
    """

    kind = "char"

    def __init__(self, vocabulary: Vocabulary) -> None:
        super().__init__(vocabulary)
        self._special = {one: index for one, index in vocabulary.ids.items() if len(one) > 1}
        single = {one: index for one, index in vocabulary.ids.items() if len(one) == 1}
        self._texts = tuple(one if len(one) == 1 else "" for one in vocabulary.symbols)
        points = np.array([ord(symbol) for symbol in single])
        absent = -1 if vocabulary.unknown_id is None else vocabulary.unknown_id
        # One entry more than the highest code point: all above it fall on that last one.
        self._table = np.full(int(points.max()) + 2, absent, np.int32)
        self._table[points] = np.array(list(single.values()), np.int32)

    @property
    def newline_id(self) -> int | None:
        return self.vocabulary.ids.get("\n")

    @property
    def special(self) -> Mapping[str, int]:
        return self._special

    def unseen(self, text: str) -> list[str]:
        return sorted(set(text) - self.vocabulary.ids.keys())

    def encode(self, text: str) -> Ids:
        points = code_points(text)
        ids: Ids = self._table[np.minimum(points, len(self._table) - 1)]
        if self.unknown_id is None and ids.size and ids.min() < 0:
            raise DataError(_never_seen(self.unseen(text)))
        return ids

    def stream(self) -> TextStream:
        return _CharStream(self._texts)

    def to_json(self) -> bytes:
        return _format.dump(self._document())

    def _document(self) -> _format.Json:
        unknown = self.vocabulary.unknown or _NO_UNKNOWN
        return _format.document(
            _format.word_level(self.vocabulary.symbols, unknown),
            _format.split_at(r"[\s\S]", "Isolated"),
            {"type": "Fuse"},
            None,
            self._special,
        )


class _CharStream:
    def __init__(self, texts: tuple[str, ...]) -> None:
        self.push = texts.__getitem__  # every symbol is certain at once

    def end(self) -> str:
        return ""


def read(content: _format.Json) -> CharTokenizer:
    """The tokenizer of a parsed file; RunError where it is not one of ours."""
    symbols = _format.symbols_of(content["model"])
    special = _format.special_of(content)
    odd = next((symbol for symbol in symbols if len(symbol) != 1 and symbol not in special), None)
    if odd is not None:
        raise RunError(f"tokenizer.json is damaged: {odd[:40]!r} is not one character.")
    if len(symbols) == len(special):
        raise RunError("tokenizer.json is damaged: it has no character.")
    unknown = UNKNOWN if content["model"].get("unk_token") == UNKNOWN else None
    if unknown is not None and unknown not in symbols:
        raise RunError("tokenizer.json is damaged: its unknown symbol is not in its vocabulary.")
    tokenizer = CharTokenizer(Vocabulary(symbols, unknown))
    _format.require_same(content, tokenizer._document())
    return tokenizer


def with_special(tokenizer: CharTokenizer, special: Iterable[str]) -> CharTokenizer:
    """The tokenizer with those of the special symbols that it lacks, behind its own."""
    vocabulary = tokenizer.vocabulary
    new = [symbol for symbol in special if symbol not in vocabulary.ids]
    return CharTokenizer(Vocabulary([*vocabulary.symbols, *new], vocabulary.unknown))


def fit(
    texts: Iterable[str], min_count: int, max_vocab: int | None, unknown: bool = False
) -> CharTokenizer:
    """The sorted characters of the texts; with the unknown symbol where some were left out.

    `unknown`: with it in any case.
    """
    counts = count(texts)
    kept = choose(counts, max_vocab, min_count)
    if len(kept) == len(counts) and not unknown:
        return CharTokenizer(Vocabulary(kept))
    known = {symbol: n for symbol, n in counts.items() if symbol != UNKNOWN}
    kept = choose(known, None if max_vocab is None else max_vocab - 1, min_count)
    return CharTokenizer(Vocabulary(sorted([*kept, UNKNOWN]), UNKNOWN))


def extend(
    old: CharTokenizer, texts: Iterable[str], min_count: int, max_vocab: int | None
) -> CharTokenizer:
    """The old symbols at their ids, then the texts' new ones, sorted."""
    counts = count(texts)
    new = {symbol: n for symbol, n in counts.items() if symbol not in old.vocabulary.ids}
    room = None if max_vocab is None else max(0, max_vocab - old.vocab_size)
    kept = choose(new, room, min_count)
    unknown = old.vocabulary.unknown
    if len(kept) < len(new) and unknown is None:
        room = None if room is None else max(0, room - 1)
        new.pop(UNKNOWN, None)
        unknown, kept = UNKNOWN, choose(new, room, min_count)
        if UNKNOWN not in old.vocabulary.ids:
            kept.append(UNKNOWN)
    return CharTokenizer(Vocabulary([*old.vocabulary.symbols, *kept], unknown))


def count(texts: Iterable[str]) -> dict[str, int]:
    """How often each character occurs; DataError for what is no character, or for no text."""
    counts: NDArray[np.int64] = np.zeros(_CODE_POINTS, np.int64)
    for text in texts:
        found = np.bincount(code_points(text))
        counts[: len(found)] += found
    if not counts.any():
        raise DataError("there is no text: not one character was read.")
    return {chr(point): int(counts[point]) for point in np.flatnonzero(counts)}


def code_points(text: str) -> NDArray[np.uint32]:
    """The text's code points; DataError where half a surrogate pair stands in it."""
    try:
        return np.frombuffer(text.encode("utf-32-le"), np.dtype("<u4"))
    except UnicodeEncodeError as error:
        raise DataError(
            f"the text has half a surrogate pair, U+{ord(text[error.start]):04X}, at character "
            f"{error.start:,}: that is no text."
        ) from error


def _never_seen(symbols: list[str]) -> str:
    shown = ", ".join(f"{symbol!r} (U+{ord(symbol):04X})" for symbol in islice(symbols, 8))
    more = f" and {len(symbols) - 8} more" if len(symbols) > 8 else ""
    return (
        f"the model has no symbol for {shown}{more}: not in the text it was trained on. "
        "Leave them out; or train an lm with --tokens byte, or with --min-count 2 so that rare "
        "characters become one unknown symbol."
    )
