"""The built-in words: each language keeps its rule, and no word is of two."""

from __future__ import annotations

import re
from itertools import pairwise

from recurra.data import invented

C, V = f"[{invented.CONSONANTS}]", f"[{invented.VOWELS}]"
RULES = {
    "Tavi": rf"(?:{C}{V}){{2,4}}",
    "Vanara": rf"{C}({V})(?:{C}\1){{1,3}}",
    "Kalmur": rf"(?:{C}{V}{C}){{2,4}}",
    "Olem": rf"(?:{V}{C}){{2,4}}",
}


def test_every_word_keeps_the_rule_of_its_language() -> None:
    texts, labels, _ = invented.words()
    for text, label in zip(texts, labels, strict=True):
        assert re.fullmatch(RULES[label], text), (text, label)
        if label == "Tavi":
            vowels = re.findall(V, text)
            assert all(a != b for a, b in pairwise(vowels))


def test_no_word_stands_twice_and_every_letter_occurs_in_every_language() -> None:
    texts, labels, source = invented.words()
    assert len(set(texts)) == len(texts) == 4 * invented.WORDS
    for language in invented.LANGUAGES:
        mine = [text for text, label in zip(texts, labels, strict=True) if label == language]
        assert set("".join(mine)) == set(invented.CONSONANTS + invented.VOWELS)
    assert source.name == "words of four invented languages"


def test_the_words_are_the_same_every_time() -> None:
    assert invented.words() == invented.words()
