"""What a tagger knows by number: words, letters, tags, and the scheme of its tags; as a file."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recurra.errors import RunError
from recurra.store import read_bytes
from recurra.tasks.tag.spans import SCHEMES
from recurra.text.conll import Sentence
from recurra.text.vocabulary import Vocabulary, choose

FILE = "inventory.json"  # in the run folder
UNKNOWN = ""  # no word or letter is empty: the first of each stands for all that are not known


@dataclass(frozen=True)
class Inventory:
    """Each symbol's place is its id; words and letters begin with the unknown one."""

    words: Vocabulary
    letters: Vocabulary
    tags: Vocabulary
    scheme: str | None  # of spans; None where the tags are not of spans

    def json(self) -> bytes:
        """The content of the file."""
        lists = {name: getattr(self, name).symbols for name in ("words", "letters", "tags")}
        text = json.dumps({"scheme": self.scheme, **lists}, ensure_ascii=False, indent=0)
        return text.encode() + b"\n"


def learned(
    sentences: Sequence[Sentence],
    scheme: str | None,
    *,
    lowercase: bool,
    min_count: int,
    old: Inventory | None = None,
) -> Inventory:
    """Of the sentences to learn from: each sorted; after the symbols of `old`, where there is one.

    A word counts lower-cased where `lowercase`; every letter and every tag is kept.
    """
    forms = [word for sentence in sentences for word in sentence.words]
    words = Counter(word.lower() for word in forms) if lowercase else Counter(forms)
    letters = Counter(letter for word in forms for letter in word)
    tags = Counter(tag for sentence in sentences for tag in sentence.tags)
    return Inventory(
        _grown(words, min_count, old.words if old else None, UNKNOWN),
        _grown(letters, 1, old.letters if old else None, UNKNOWN),
        _grown(tags, 1, old.tags if old else None),
        scheme,
    )


def read(folder: Path) -> Inventory:
    """The inventory of a run folder; RunError where it is damaged."""
    path = folder / FILE
    try:
        values = json.loads(read_bytes(path))
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path} is damaged: it is not JSON.") from error
    if not isinstance(values, dict) or set(values) != {"scheme", "words", "letters", "tags"}:
        raise RunError(f"{path} is damaged: it must hold scheme, words, letters and tags.")
    if values["scheme"] not in (None, *SCHEMES):
        raise RunError(f"{path} is damaged: {values['scheme']!r} is no scheme of tags.")
    lists = {name: _symbols(path, name, values[name]) for name in ("words", "letters", "tags")}
    for name in ("words", "letters"):
        if lists[name][:1] != [UNKNOWN]:
            raise RunError(f"{path} is damaged: its {name} do not begin with the unknown one.")
    return Inventory(
        Vocabulary(lists["words"], UNKNOWN),
        Vocabulary(lists["letters"], UNKNOWN),
        Vocabulary(lists["tags"]),
        values["scheme"],
    )


def _grown(
    counts: Counter[str], min_count: int, old: Vocabulary | None, unknown: str | None = None
) -> Vocabulary:
    known = list(old.symbols) if old else [] if unknown is None else [unknown]
    have = set(known)
    new = {symbol: count for symbol, count in counts.items() if symbol not in have}
    return Vocabulary([*known, *choose(new, None, min_count)], unknown)


def _symbols(path: Path, name: str, values: Any) -> list[str]:
    if not isinstance(values, list) or not values or not _all_text(values):
        raise RunError(f"{path} is damaged: its {name} must be a list of texts.")
    if len(set(values)) < len(values):
        raise RunError(f"{path} is damaged: one of its {name} stands there twice.")
    return values


def _all_text(values: Iterable[object]) -> bool:
    return all(isinstance(value, str) for value in values)
