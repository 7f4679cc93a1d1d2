"""Spans (named entities, chunks) in sequences of tags, and their F1 as conlleval counts it.

A tag is O, or a prefix and a type: B-person. Schemes: iob1 (a span begins with I, with B only right
after another of its type), bio (always with B; ramshaw1995), bioes (its last word has E, a single
word S). One reading serves all three, and tags that break their scheme too: nothing is dropped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

OUTSIDE = "O"
SCHEMES = ("iob1", "bio", "bioes")
_PREFIXES = frozenset("BIES")


class Span(NamedTuple):
    """Words start to end − 1 of a sentence."""

    start: int
    end: int
    type: str


def spans(tags: Sequence[str]) -> list[Span]:
    """The spans in order.

    One begins at a tag other than O that has B or S, comes after O, after another type, or after a
    tag with E or S; it ends before the next one and before O.
    """
    found: list[Span] = []
    start, before = 0, ("", "")
    for at, tag in enumerate([*tags, OUTSIDE]):
        prefix, kind = _parts(tag)
        begins = prefix and (prefix in "BS" or before[0] in ("", "E", "S") or before[1] != kind)
        if before[0] and (begins or not prefix):
            found.append(Span(start, at, before[1]))
        if begins:
            start = at
        before = (prefix, kind)
    return found


def encoded(found: Iterable[Span], length: int, scheme: str) -> list[str]:
    """The tags of a sentence of `length` words with these spans, in order, by the scheme."""
    tags = [OUTSIDE] * length
    before = Span(0, 0, "")
    for span in found:
        for at in range(span.start, span.end):
            tags[at] = f"I-{span.type}"
        close = before.end == span.start and before.type == span.type
        if scheme != "iob1" or close:
            tags[span.start] = f"B-{span.type}"
        if scheme == "bioes":
            single = span.end - span.start == 1
            tags[span.end - 1] = f"{'S' if single else 'E'}-{span.type}"
        before = span
    return tags


def scheme_of(sentences: Sequence[Sequence[str]]) -> str | None:
    """The scheme whose rules the fewest tags break, or None where the tags are not of spans.

    Of two that fit as well the one with fewer prefixes is taken, bio before iob1.
    """
    known = {tag for tags in sentences for tag in tags}
    if known <= {OUTSIDE} or strays(known):
        return None
    return min(
        ("bio", "iob1", "bioes"),
        key=lambda name: sum(len(repaired(tags, name)[1]) for tags in sentences),
    )


def strays(tags: Iterable[str]) -> set[str]:
    """Those of the tags that are neither O nor of spans."""
    return {tag for tag in tags if not _is_of_spans(tag)}


def repaired(tags: Sequence[str], scheme: str) -> tuple[list[str], list[int]]:
    """The same spans by the scheme's rules, and the places whose tag that changed.

    A tag that is neither O nor of a span stays: no scheme has a rule for it.
    """
    made = encoded(spans(tags), len(tags), scheme)
    right = [new if _is_of_spans(tag) else tag for tag, new in zip(tags, made, strict=True)]
    return right, [at for at, tag in enumerate(tags) if tag != right[at]]


@dataclass(frozen=True)
class SpanF1:
    """How many spans there are, were found, and were found right (both borders and the type)."""

    right: int
    found: int
    true: int

    @property
    def precision(self) -> float:
        """right ÷ found; 0 where none was found."""
        return self.right / self.found if self.found else 0.0

    @property
    def recall(self) -> float:
        """right ÷ true; 0 where there is none."""
        return self.right / self.true if self.true else 0.0

    @property
    def f1(self) -> float:
        """The harmonic mean of both; 0 where both are."""
        return 2 * self.right / (self.found + self.true) if self.right else 0.0


def score(
    true: Iterable[Sequence[str]], found: Iterable[Sequence[str]]
) -> tuple[SpanF1, Mapping[str, SpanF1]]:
    """Over all sentences (micro-averaged), and of each type."""
    right: Counter[str] = Counter()
    claimed: Counter[str] = Counter()
    wanted: Counter[str] = Counter()
    for here, there in zip(true, found, strict=True):
        ours, theirs = set(spans(there)), set(spans(here))
        claimed.update(span.type for span in ours)
        wanted.update(span.type for span in theirs)
        right.update(span.type for span in ours & theirs)
    types = sorted(claimed.keys() | wanted.keys())
    each = {kind: SpanF1(right[kind], claimed[kind], wanted[kind]) for kind in types}
    return SpanF1(right.total(), claimed.total(), wanted.total()), each


def _parts(tag: str) -> tuple[str, str]:
    """(prefix, type); ('', '') for O and for what is no tag of a span."""
    prefix, _, kind = tag.partition("-")
    return (prefix, kind) if tag != OUTSIDE and _is_of_spans(tag) else ("", "")


def _is_of_spans(tag: str) -> bool:
    return tag == OUTSIDE or (tag[0] in _PREFIXES and tag[1:2] == "-" and len(tag) > 2)
