"""Words as tokens: what stands between white space, and `<eos>` for every end of a line.

A literal `<unk>` in a text is the unknown symbol, which always exists and stands for every word
outside the vocabulary: the standard corpora, prepared that way, read as they are. White space is
not kept, so a decoded text has single blanks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import numpy as np

from recurra.errors import DataError, RunError
from recurra.text import _format
from recurra.text._tokenizer import Ids, SymbolTokenizer, TextStream
from recurra.text.vocabulary import Vocabulary, choose

UNKNOWN = "<unk>"
END = "<eos>"
# What `str.split` takes for white space, as a class of a regular expression.
_BLANKS = (
    r"[\x09-\x0d\x1c-\x20\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}"
    r"\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}]+"
)


class WordTokenizer(SymbolTokenizer):
    """A vocabulary of words that begins with `<unk>` and `<eos>`."""

    kind = "word"

    @property
    def newline_id(self) -> int | None:
        return self.vocabulary.ids[END]

    def unseen(self, text: str) -> list[str]:
        return sorted(set(words(text)) - self.vocabulary.ids.keys())

    def encode(self, text: str) -> Ids:
        found, unknown = self.vocabulary.ids.get, self.vocabulary.ids[UNKNOWN]
        return np.array([found(word, unknown) for word in words(text)], np.int32)

    def stream(self) -> TextStream:
        return _WordStream(self.vocabulary.symbols)

    def to_json(self) -> bytes:
        return _format.dump(self._document())

    def _document(self) -> _format.Json:
        return _format.document(
            _format.word_level(self.vocabulary.symbols, UNKNOWN),
            _format.split_at(_BLANKS, "Removed"),
            None,
            {"type": "Replace", "pattern": {"String": "\n"}, "content": f" {END} "},
        )


class _WordStream:
    """A blank between two words, none at either end of a line."""

    def __init__(self, symbols: tuple[str, ...]) -> None:
        self._symbols = symbols
        self._inside = False  # a word of this line was given

    def push(self, index: int) -> str:
        word, inside = self._symbols[index], self._inside
        self._inside = word != END
        if word == END:
            return "\n"
        return f" {word}" if inside else word

    def end(self) -> str:
        return ""


def words(text: str) -> list[str]:
    """The tokens of a text, before they are looked up."""
    return text.replace("\n", f" {END} ").split()


def read(content: _format.Json) -> WordTokenizer:
    """The tokenizer of a parsed file; RunError where it is not one of ours."""
    symbols = _format.symbols_of(content["model"])
    if UNKNOWN not in symbols or END not in symbols:
        raise RunError(f"tokenizer.json is damaged: its words lack {UNKNOWN} or {END}.")
    odd = next((symbol for symbol in symbols if words(symbol) != [symbol]), None)
    if odd is not None:
        raise RunError(f"tokenizer.json is damaged: {odd[:40]!r} is not one word.")
    tokenizer = WordTokenizer(Vocabulary(symbols, UNKNOWN))
    _format.require_same(content, tokenizer._document())
    return tokenizer


def fit(texts: Iterable[str], min_count: int, max_vocab: int | None) -> WordTokenizer:
    """`<unk>`, `<eos>`, then the words kept, sorted; max_vocab counts all of them."""
    room = None if max_vocab is None else max_vocab - 2
    return WordTokenizer(
        Vocabulary([UNKNOWN, END, *choose(_counted(texts), room, min_count)], UNKNOWN)
    )


def extend(
    old: WordTokenizer, texts: Iterable[str], min_count: int, max_vocab: int | None
) -> WordTokenizer:
    """The old words at their ids, then the texts' new ones, sorted."""
    counts = _counted(texts)
    new = {word: n for word, n in counts.items() if word not in old.vocabulary.ids}
    room = None if max_vocab is None else max(0, max_vocab - old.vocab_size)
    return WordTokenizer(
        Vocabulary([*old.vocabulary.symbols, *choose(new, room, min_count)], UNKNOWN)
    )


def _counted(texts: Iterable[str]) -> Counter[str]:
    """How often each word occurs, `<unk>` and `<eos>` left out; DataError for no text."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(words(text))
    if not counts:
        raise DataError("there is no text: not one word was read.")
    for symbol in (UNKNOWN, END):
        counts.pop(symbol, None)
    return counts
