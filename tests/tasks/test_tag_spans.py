"""Spans of tags and their F1, by hand-worked cases in the three schemes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.tasks.tag import spans
from recurra.tasks.tag.spans import Span

TAGS = st.lists(st.sampled_from(["O", *(f"{p}-{t}" for p in "BIES" for t in ("X", "Y"))]))


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        ("", []),
        ("O O", []),
        # iob1: a span begins with I; B parts it from the one before
        ("I-X I-X O I-X", [(0, 2, "X"), (3, 4, "X")]),
        ("I-X B-X I-X", [(0, 1, "X"), (1, 3, "X")]),
        ("I-X I-Y", [(0, 1, "X"), (1, 2, "Y")]),
        # bio
        ("B-X I-X B-X", [(0, 2, "X"), (2, 3, "X")]),
        ("B-X B-X", [(0, 1, "X"), (1, 2, "X")]),
        # bioes
        ("S-X S-X B-X E-X", [(0, 1, "X"), (1, 2, "X"), (2, 4, "X")]),
        ("B-X I-X E-X B-X E-X", [(0, 3, "X"), (3, 5, "X")]),
        # broken: conlleval begins a span at any change, and ends one with E
        ("O I-X", [(1, 2, "X")]),
        ("B-X I-Y I-Y", [(0, 1, "X"), (1, 3, "Y")]),
        ("B-X E-X I-X", [(0, 2, "X"), (2, 3, "X")]),
        ("E-X E-X", [(0, 1, "X"), (1, 2, "X")]),
        ("B-X O E-X", [(0, 1, "X"), (2, 3, "X")]),
        # a tag of another form, in a held-out part alone, is of no span
        ("LOC B-X LOC I-X", [(1, 2, "X"), (3, 4, "X")]),
        ("B- B-X I- I-X", [(1, 2, "X"), (3, 4, "X")]),  # a type is missing
    ],
)
def test_spans_are_read_as_conlleval_reads_them(
    tags: str, found: list[tuple[int, int, str]]
) -> None:
    assert spans.spans(tags.split()) == [Span(*one) for one in found]


@pytest.mark.parametrize(
    ("scheme", "tags"),
    [
        ("iob1", "I-X I-X O I-X B-X I-Y"),
        ("bio", "B-X I-X O B-X B-X B-Y"),
        ("bioes", "B-X E-X O S-X S-X S-Y"),
    ],
)
def test_spans_are_written_by_the_scheme_s_rules(scheme: str, tags: str) -> None:
    found = [Span(0, 2, "X"), Span(3, 4, "X"), Span(4, 5, "X"), Span(5, 6, "Y")]
    assert spans.encoded(found, 6, scheme) == tags.split()
    assert spans.spans(tags.split()) == found


@given(TAGS, st.sampled_from(spans.SCHEMES))
def test_repaired_tags_have_the_same_spans_and_nothing_left_to_repair(
    tags: list[str], scheme: str
) -> None:
    right, places = spans.repaired(tags, scheme)
    assert spans.spans(right) == spans.spans(tags)
    assert spans.repaired(right, scheme) == (right, [])
    assert [at for at in range(len(tags)) if right[at] != tags[at]] == places


def test_a_tag_of_no_span_is_not_repaired() -> None:
    right, places = spans.repaired(["I-X", "MISC", "O", "I-X"], "bio")
    assert (right, places) == (["B-X", "MISC", "O", "B-X"], [0, 3])


@pytest.mark.parametrize(
    ("sentences", "scheme"),
    [
        (["I-X I-X O", "I-X B-X"], "iob1"),
        (["B-X I-X O", "B-X B-X"], "bio"),
        (["B-X I-X O", "I-Y O", "B-X B-X"], "bio"),
        (["B-X E-X", "S-Y O"], "bioes"),
        (["B-X I-X O", "B-X E-X"], "bio"),  # breaks one tag, bioes one too, iob1 three
        (["B-X I-X O", "B-Y B-X E-X"], "bio"),  # one; bioes two, iob1 four
        (["B-X E-X O", "S-Y O", "B-Y"], "bioes"),  # one; bio two, iob1 four
        (["O O"], None),
        (["NOUN VERB"], None),
        (["B-X I-X", "B"], None),
        (["I"], None),
    ],
)
def test_the_scheme_is_the_one_whose_rules_are_broken_least(
    sentences: list[str], scheme: str | None
) -> None:
    assert spans.scheme_of([tags.split() for tags in sentences]) == scheme


def test_f1_counts_spans_that_are_right_in_both_borders_and_the_type() -> None:
    true = ["B-X I-X O B-Y O", "B-X O O B-Y I-Y"]
    found = ["B-X I-X O B-X O", "B-X I-X O B-Y I-Y"]
    # right: X 0-2 in the first, Y 3-5 in the second; found 4, true 4
    total, each = spans.score([t.split() for t in true], [t.split() for t in found])
    assert (total.precision, total.recall, total.f1) == (0.5, 0.5, 0.5)
    # X: 1 right of 3 found and 2 true: F1 = 2/5; Y: 1 of 1 found and 2 true: F1 = 2/3
    assert each["X"].precision == pytest.approx(1 / 3)
    assert each["X"].f1 == pytest.approx(2 / 5)
    assert each["Y"].recall == pytest.approx(1 / 2)
    assert each["Y"].f1 == pytest.approx(2 / 3)


def test_without_any_span_the_figures_are_zero() -> None:
    total, each = spans.score([["O"]], [["O"]])
    assert (total.precision, total.recall, total.f1, each) == (0, 0, 0, {})
