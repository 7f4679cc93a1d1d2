"""tokenizer.json, the format of Hugging Face's tokenizers: what we write, what we accept.

Only files of the four shapes that Recurra writes are read. Nothing in the file is executed: its
vocabulary and merges are checked and copied, all the rest must be exactly ours.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from recurra.errors import RunError

Json: TypeAlias = dict[str, Any]

MAX_BYTES = 256 << 20  # a vocabulary of some ten million words


def document(
    model: Json,
    pre_tokenizer: Json,
    decoder: Json | None,
    normalizer: Json | None,
    special: Mapping[str, int] | None = None,
) -> Json:
    """The whole file around a model; `special` symbols, with their ids, are never cut from text."""
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [_added(symbol, index) for symbol, index in (special or {}).items()],
        "normalizer": normalizer,
        "pre_tokenizer": pre_tokenizer,
        "post_processor": None,
        "decoder": decoder,
        "model": model,
    }


def _added(symbol: str, index: int) -> Json:
    """A special symbol as the format lists it."""
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    return {"id": index, "content": symbol, **flags, "special": True}


def special_of(content: Json) -> tuple[str, ...]:
    """The special symbols that the file lists, in order; RunError where that is no such list."""
    listed = content.get("added_tokens")
    if not isinstance(listed, list):
        raise RunError("tokenizer.json is damaged: its added_tokens are no list.")
    found = [one.get("content") if isinstance(one, dict) else None for one in listed]
    if not all(isinstance(symbol, str) and len(symbol) > 1 for symbol in found):
        raise RunError("tokenizer.json has 'added_tokens' that Recurra does not write.")
    return tuple(str(symbol) for symbol in found)


def word_level(symbols: Sequence[str], unknown: str) -> Json:
    """A model that looks each piece up."""
    vocab = {symbol: index for index, symbol in enumerate(symbols)}
    return {"type": "WordLevel", "vocab": vocab, "unk_token": unknown}


def merging(symbols: Sequence[str], merges: Sequence[tuple[str, str]]) -> Json:
    """A byte-pair model; without merges every byte is a token."""
    return {
        "type": "BPE",
        "dropout": None,
        "unk_token": None,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": False,
        "ignore_merges": False,
        "vocab": {symbol: index for index, symbol in enumerate(symbols)},
        "merges": [list(pair) for pair in merges],
    }


def split_at(pattern: str, behavior: str) -> Json:
    """A pre-tokenizer that cuts where the regular expression matches."""
    return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": behavior, "invert": False}


def byte_level(use_regex: bool) -> Json:
    """The pre-tokenizer and decoder that write each byte as one printable character."""
    return {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": True,
        "use_regex": use_regex,
    }


def dump(content: Json) -> bytes:
    """The file's bytes."""
    return (json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode()


def parse(data: bytes) -> Json:
    """The file as JSON with a checked vocabulary; RunError where it is damaged or too large."""
    if len(data) > MAX_BYTES:
        raise RunError(f"tokenizer.json has {len(data):,} bytes: at most {MAX_BYTES:,} are read.")
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise RunError(f"tokenizer.json is damaged: {str(error)[:200]}.") from error
    if not isinstance(content, dict) or not isinstance(content.get("model"), dict):
        raise RunError("tokenizer.json is damaged: it has no table 'model'.")
    return content


def symbols_of(model: Json) -> tuple[str, ...]:
    """The vocabulary in the order of its ids, which must be 0, 1, 2, … without a gap."""
    vocab = model.get("vocab")
    if not isinstance(vocab, dict) or not vocab:
        raise RunError("tokenizer.json is damaged: its model has no vocabulary.")
    symbols: list[str | None] = [None] * len(vocab)
    for symbol, index in vocab.items():
        whole = isinstance(index, int) and not isinstance(index, bool)
        if not whole or not 0 <= index < len(vocab) or symbols[index] is not None:
            raise RunError(
                f"tokenizer.json is damaged: the id of {symbol[:40]!r} is {str(index)[:40]}, "
                f"but the ids must be 0 to {len(vocab) - 1}, each once."
            )
        symbols[index] = symbol
    found = tuple(symbol for symbol in symbols if symbol is not None)
    try:
        "".join(found).encode()
    except UnicodeEncodeError as error:
        raise RunError("tokenizer.json is damaged: a symbol is half a surrogate pair.") from error
    return found


def merges_of(model: Json) -> list[tuple[str, str]]:
    """The merges, in order; both sides and the result of each must be in the vocabulary."""
    merges, vocab = model.get("merges"), model["vocab"]
    if not isinstance(merges, list):
        raise RunError("tokenizer.json is damaged: its model has no list of merges.")
    for pair in merges:
        pair_of_text = isinstance(pair, list) and [type(side) for side in pair] == [str, str]
        if not pair_of_text or any(part not in vocab for part in (*pair, "".join(pair))):
            raise RunError(f"tokenizer.json is damaged: no merge can be {str(pair)[:80]}.")
    return [(left, right) for left, right in merges]


def require_same(found: Json, ours: Json) -> None:
    """RunError where a file differs from what the tokenizer made from it would write."""
    for key in [*ours, *found]:
        if found.get(key, "absent") != ours.get(key, "absent"):
            raise RunError(
                f"tokenizer.json has a {key!r} that Recurra does not write: "
                f"{str(found.get(key, 'absent'))[:80]}. Only its own tokenizers are read."
            )
