"""Built-in tagged sentences: people and places in a few turns of phrase, made from a seed.

A first run and the tests learn from them; no quality figure rests on them. The names are made of
syllables, so that some in the held-out part were never seen.
"""

from __future__ import annotations

import hashlib

from recurra import rng
from recurra.text.conll import Sentence
from recurra.text.files import Source

COUNT = 600
NAME = "built-in sentences with people and places"

_BEGIN = ("Ba", "Da", "Fe", "Go", "Ka", "Li", "Mo", "Na", "Ri", "So", "Ta", "Ve")
_MIDDLE = ("", "la", "mi", "no", "ra", "ve")
_PERSON_END = ("na", "ro", "lin", "dor")
_PLACE_END = ("burg", "ville", "ford", "stadt")
_PHRASES = (
    "{person} flew from {place} to {place} .",
    "the train to {place} is late again .",
    "{person} and {person} live near {place} .",
    "did {person} write this letter ?",
    "bread costs more in {place} than in {place} .",
    "nobody has seen {person} since Monday .",
    "it rains .",
    "last year {person} moved to {place} with {person} .",
    "the mayor of {place} , {person} , was there .",
)


def sentences() -> tuple[list[Sentence], Source]:
    """The sentences, tagged by the bio scheme, and the size and hash of them as a column file."""
    draw = rng.generator(0, "sentences")

    def one(of: tuple[str, ...]) -> str:
        return of[int(draw.integers(len(of)))]

    def person() -> list[str]:
        names = [one(_BEGIN) + one(_MIDDLE) + one(_PERSON_END)]
        return names + [one(_BEGIN) + "son"] * int(draw.integers(2))

    def place() -> list[str]:
        return ["New"] * int(draw.integers(4) == 0) + [one(_BEGIN) + one(_MIDDLE) + one(_PLACE_END)]

    makers = {"{person}": person, "{place}": place}
    found = []
    for _ in range(COUNT):
        words: list[str] = []
        tags: list[str] = []
        for part in one(_PHRASES).split():
            if part in makers:
                named = makers[part]()
                kind = part.strip("{}").upper()
                words += named
                tags += [f"B-{kind}", *[f"I-{kind}"] * (len(named) - 1)]
            else:
                words.append(part)
                tags.append("O")
        found.append(Sentence(tuple(words), tuple(tags)))
    data = as_columns(found).encode()
    return found, Source("", NAME, len(data), hashlib.sha256(data).hexdigest())


def as_columns(found: list[Sentence]) -> str:
    """The sentences as a CoNLL file of two columns."""
    blocks = (
        "".join(f"{word}\t{tag}\n" for word, tag in zip(*sentence, strict=True))
        for sentence in found
    )
    return "\n".join(blocks)
