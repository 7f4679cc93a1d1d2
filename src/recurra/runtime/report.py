"""How a sample relates to what was trained on: copied, repeating itself, made of known words.

And how well what opens in it is closed. Counted on text alone: no model is needed.

An n-gram is n consecutive characters, or n consecutive words. A word is a run of letters, with
apostrophes inside, in any case ("The" is "the"); a word at either edge of a sample is left out,
because the edge may have cut it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from recurra.errors import DataError
from recurra.results import counted

CHARACTERS = (8, 16, 32)  # lengths of the n-grams of characters
WORDS = (3, 5)  # lengths of the n-grams of words
BRACKETS = {"braces": ("{", "}"), "brackets": ("[", "]"), "parentheses": ("(", ")")}

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_ENVIRONMENT = re.compile(r"\\(begin|end)\{([^{}]*)\}")
_PIECE = 2**22  # characters of the training text looked at at a time
_OVERLAP = 2**12  # characters that two such pieces share, so that no n-gram falls between them


@dataclass(frozen=True)
class SampleReport:
    """Shares in [0, 1]; an n-gram that no sample is long enough for has no entry."""

    characters: int  # of all samples
    words: int  # of all samples, those at the edges left out
    copied: Mapping[str, float]  # n-grams that stand in the training text: memorised?
    repeated: Mapping[str, float]  # n-grams that already stood before in the same sample
    known_words: float | None  # words that occur in the training text; None without words

    def json(self) -> dict[str, Any]:
        """The report as JSON values."""
        return {
            "characters": self.characters,
            "words": self.words,
            **{f"copied_{key}": share for key, share in self.copied.items()},
            **{f"repeated_{key}": share for key, share in self.repeated.items()},
            "known_words": self.known_words,
        }

    def __str__(self) -> str:
        lines = [f"{counted(self.characters, 'character')}, {counted(self.words, 'word')}"]
        if self.known_words is not None:
            lines.append(f"  words that occur in the training text    {self.known_words:7.1%}")
        for key in self.copied:
            name = key.replace("_", " ")
            lines.append(
                f"  n-grams of {name:<14} in the training text {self.copied[key]:7.1%}, "
                f"said before {self.repeated[key]:7.1%}"
            )
        return "\n".join(lines)


def report(samples: Sequence[str], training: str | Iterable[str]) -> SampleReport:
    """How much of the samples stands in the training text, is said twice, is known words.

    `training` is the text, or consecutive pieces of it, which are looked at one at a time. A share
    is over the n-grams of all samples at all their places. Raises DataError where every sample is
    empty.
    """
    if not any(samples):
        raise DataError("there is nothing to report on: every sample is empty.")
    sample_words = [whole_words(text) for text in samples]
    grams: dict[str, list[list[Any]]] = {}  # by name: the n-grams of each sample, in order
    for n in CHARACTERS:
        grams[f"characters_{n}"] = [_ngrams(text, n) for text in samples]
    for n in WORDS:
        grams[f"words_{n}"] = [_ngrams(words, n) for words in sample_words]
    grams["known"] = [list(words) for words in sample_words]
    grams = {name: lists for name, lists in grams.items() if any(lists)}
    found = _found({name: set().union(*lists) for name, lists in grams.items()}, training)
    copied = {name: _share(lists, found[name].__contains__) for name, lists in grams.items()}
    known = copied.pop("known", None)
    repeated = {name: 1 - _distinct(grams[name]) for name in copied}
    count = sum(len(words) for words in sample_words)
    return SampleReport(sum(map(len, samples)), count, copied, repeated, known)


def whole_words(text: str) -> list[str]:
    """The words of a text in lower case, without one that touches its beginning or end."""
    return [
        match[0].casefold()
        for match in _WORD.finditer(text)
        if match.start() > 0 and match.end() < len(text)
    ]


def balance(text: str) -> dict[str, float]:
    """For each kind that occurs, the share of its symbols that have a partner.

    Kinds are braces {}, brackets [], parentheses (), each counted by itself, and LaTeX's
    environments. A closing bracket is the partner of the last one still open; \\end{name} is that
    of the last open \\begin{name}, and what was begun after it and is still open stays without.
    Every such character counts, also in comments and strings, and what a text's end cuts off
    counts as open. A kind that does not occur has no entry.
    """
    shares = {}
    for kind, (opening, closing) in BRACKETS.items():
        symbols = text.count(opening) + text.count(closing)
        if symbols:
            shares[kind] = 2 * _bracket_pairs(text, opening, closing) / symbols
    environments = _ENVIRONMENT.findall(text)
    if environments:
        shares["environments"] = 2 * _environment_pairs(environments) / len(environments)
    return shares


def _bracket_pairs(text: str, opening: str, closing: str) -> int:
    pairs = still_open = 0
    for symbol in text:
        if symbol == opening:
            still_open += 1
        elif symbol == closing and still_open:
            still_open -= 1
            pairs += 1
    return pairs


def _environment_pairs(environments: Sequence[tuple[str, str]]) -> int:
    pairs = 0
    still_open: list[str] = []
    for which, name in environments:
        if which == "begin":
            still_open.append(name)
        elif name in still_open:
            while still_open.pop() != name:
                pass
            pairs += 1
    return pairs


def _found(wanted: Mapping[str, set[Any]], training: str | Iterable[str]) -> dict[str, set[Any]]:
    """Of the n-grams wanted, by name, those that stand in the training text."""
    found: dict[str, set[Any]] = {name: set() for name in wanted}
    for piece in _overlapping([training] if isinstance(training, str) else training):
        words = [match[0].casefold() for match in _WORD.finditer(piece)]
        for name, grams in wanted.items():
            kind, _, n = name.partition("_")
            if kind == "known":
                found[name] |= grams.intersection(words)
            else:
                found[name] |= _all(piece if kind == "characters" else words, int(n), grams)
    return found


def _all(sequence: str | list[str], n: int, grams: set[Any]) -> set[Any]:
    """Those of `grams` among the n-grams of the sequence, without keeping any other."""
    make: Callable[[Any], Any] = str if isinstance(sequence, str) else tuple
    places = range(len(sequence) - n + 1)
    return {gram for place in places if (gram := make(sequence[place : place + n])) in grams}


def _ngrams(sequence: str | list[str], n: int) -> list[Any]:
    make: Callable[[Any], Any] = str if isinstance(sequence, str) else tuple
    return [make(sequence[place : place + n]) for place in range(len(sequence) - n + 1)]


def _overlapping(texts: Iterable[str]) -> Iterator[str]:
    """The consecutive texts as pieces that overlap and are cut between words."""
    rest = ""
    for text in texts:
        for start in range(0, len(text), _PIECE):
            rest += text[start : start + _PIECE]
            if len(rest) > _PIECE:
                end = _blank_before(rest, len(rest))
                yield rest[:end]
                rest = rest[_blank_before(rest, max(0, end - _OVERLAP)) :]
    yield rest


def _blank_before(text: str, end: int) -> int:
    """The place of the last white space before `end`; `end` itself where there is none near."""
    found = max(text.rfind(blank, max(0, end - _OVERLAP), end) for blank in " \n\t")
    return found if found >= 0 else end


def _share(lists: Sequence[Sequence[Any]], counts: Callable[[Any], bool]) -> float:
    total = sum(len(one) for one in lists)
    return sum(1 for one in lists for gram in one if counts(gram)) / total


def _distinct(lists: Sequence[Sequence[Any]]) -> float:
    """The share of n-grams that are the first of their kind in their own sample."""
    return sum(len(set(one)) for one in lists) / sum(len(one) for one in lists)
