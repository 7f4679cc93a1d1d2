"""The set that a first classifier learns from: words of four invented languages.

No word belongs to two of them, and no letter to one of them alone: what counts is the order. So
a network that reads letter by letter can be right about every word.
"""

from __future__ import annotations

import hashlib

import numpy as np

from recurra import rng
from recurra.text.files import Source

CONSONANTS, VOWELS = "dklmnprstv", "aeiou"
LANGUAGES = {
    "Tavi": "a consonant, a vowel, and so on, never the vowel before: makiro",
    "Kalmur": "syllables closed by a consonant: kalmur",
    "Olem": "a vowel, a consonant, and so on: olemir",
    "Vanara": "a consonant, a vowel, and so on, with one vowel throughout: vanara",
}
WORDS = 300  # a language


def words(seed: int = 0) -> tuple[list[str], list[str], Source]:
    """(words, their languages, where they come from): WORDS different ones a language."""
    draw = rng.generator(seed, "invented languages")
    texts: list[str] = []
    labels: list[str] = []
    for language in LANGUAGES:
        found: dict[str, None] = {}
        while len(found) < WORDS:
            found[_word(language, draw)] = None
        texts += found
        labels += [language] * WORDS
    data = "".join(f"{text}\t{label}\n" for text, label in zip(texts, labels, strict=True)).encode()
    name = "words of four invented languages"
    return texts, labels, Source("", name, len(data), hashlib.sha256(data).hexdigest())


def _word(language: str, draw: np.random.Generator) -> str:
    count = int(draw.integers(2, 5))  # syllables
    consonants = [CONSONANTS[i] for i in draw.integers(0, len(CONSONANTS), 2 * count)]
    # steps of 1 to 4 around five vowels: never the same twice in a row
    places = draw.integers(5) + np.cumsum(draw.integers(1, 5, count))
    vowels = [VOWELS[place % 5] for place in places]
    opens, closes = consonants[:count], consonants[count:]
    if language == "Vanara":
        vowels = vowels[:1] * count
    parts = (opens, vowels, closes if language == "Kalmur" else count * [""])
    if language == "Olem":
        parts = (vowels, opens, parts[2])
    return "".join("".join(syllable) for syllable in zip(*parts, strict=True))
