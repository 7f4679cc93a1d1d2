"""The way in to the four kinds of tokens: learn a vocabulary, extend it, read it back.

Each kind is in a file of its own (_char, _word, _bytes); nothing here knows how they cut a text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from recurra.errors import ConfigError, RunError, unknown
from recurra.store import read_bytes
from recurra.text import _bytes, _char, _format, _word
from recurra.text._tokenizer import Ids as Ids
from recurra.text._tokenizer import TextStream as TextStream
from recurra.text._tokenizer import Tokenizer as Tokenizer
from recurra.text._word import words as words
from recurra.text.vocabulary import check_limits

KINDS = ("char", "byte", "word", "bpe")


def fit(
    kind: str,
    texts: Iterable[str],
    *,
    min_count: int = 1,
    max_vocab: int | None = None,
    bpe_vocab: int = 1000,
    unknown_symbol: bool = False,
) -> Tokenizer:
    """A tokenizer of one of KINDS, its vocabulary learned from the texts.

    texts: pieces as `reading.chunks` gives them, each read once and none kept. min_count and
    max_vocab (char and word): rarer symbols, and all but the most frequent, become the unknown
    symbol. bpe_vocab (bpe): symbols in all, the 256 bytes included. unknown_symbol (char): with one
    even where no character is left out, for texts that may have others.

    Raises ConfigError for a setting that cannot be, DataError where there is no text.
    """
    if kind not in KINDS:
        raise ConfigError(unknown("tokens", kind, KINDS))
    check_limits(min_count, max_vocab)
    if kind in ("byte", "bpe") and (min_count, max_vocab) != (1, None):
        raise ConfigError(f"min_count and max_vocab are of char and word tokens, not of {kind}.")
    if kind == "char":
        return _char.fit(texts, min_count, max_vocab, unknown_symbol)
    if kind == "word":
        return _word.fit(texts, min_count, max_vocab)
    return _bytes.fit_bpe(texts, bpe_vocab) if kind == "bpe" else _bytes.ByteTokenizer()


def extend(
    tokenizer: Tokenizer,
    texts: Iterable[str],
    *,
    min_count: int = 1,
    max_vocab: int | None = None,
) -> Tokenizer:
    """The tokenizer with the texts' new symbols behind its own, whose ids stay as they are.

    Byte and BPE tokens have an id for every text and are given back as they are. max_vocab never
    takes a symbol away.
    """
    check_limits(min_count, max_vocab)
    if isinstance(tokenizer, _char.CharTokenizer):
        return _char.extend(tokenizer, texts, min_count, max_vocab)
    if isinstance(tokenizer, _word.WordTokenizer):
        return _word.extend(tokenizer, texts, min_count, max_vocab)
    return tokenizer


def with_special(tokenizer: Tokenizer, special: Sequence[str]) -> Tokenizer:
    """The tokenizer of characters with these special symbols behind its own, where it lacks them.

    Each has a name of two characters or more, so that it is none of a text's own symbols.
    """
    assert isinstance(tokenizer, _char.CharTokenizer)
    assert all(len(symbol) > 1 for symbol in special)
    return _char.with_special(tokenizer, special)


def from_json(data: bytes) -> Tokenizer:
    """The tokenizer that a tokenizer.json of ours holds; RunError where it is not one."""
    content = _format.parse(data)
    model = content["model"]
    if model.get("type") == "WordLevel":
        return _char.read(content) if content.get("decoder") else _word.read(content)
    if model.get("type") == "BPE":
        return _bytes.read_bpe(content) if model.get("merges") else _bytes.read_bytes(content)
    raise RunError(f"tokenizer.json has a model of type {str(model.get('type'))[:40]!r}, not ours.")


def read(path: Path) -> Tokenizer:
    """The tokenizer in a file of ours; RunError, naming its folder, where it is not one."""
    data = read_bytes(path)
    try:
        return from_json(data)
    except RunError as error:
        raise RunError(f"{path.parent}: {error}") from error
