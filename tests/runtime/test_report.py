"""Reports on samples, counted by hand."""

from __future__ import annotations

from itertools import pairwise

import pytest

from recurra.errors import DataError
from recurra.runtime import report as module
from recurra.runtime.report import balance, report, whole_words

TRAINING = "It was the best of times, it was the worst of times; it wasn't long.\n"


def test_a_word_is_letters_with_apostrophes_inside_and_none_at_the_edges() -> None:
    assert whole_words("ing The cat's 3 paws, don’t they?\nYe") == [
        "the",
        "cat's",
        "paws",
        "don’t",
        "they",
    ]
    assert whole_words(" whole ") == ["whole"]
    assert whole_words("cut") == []


def test_known_words_are_those_of_the_training_text_in_any_case() -> None:
    # best, of, tomes, was; "It" and "worst" touch the edges, "tomes" is unknown.
    found = report(["It BEST of tomes was worst"], TRAINING)
    assert found.words == 4
    assert found.known_words == 3 / 4


def test_half_a_training_word_is_not_known() -> None:
    assert report([" tim wors "], TRAINING).known_words == 0


def test_copied_is_the_share_of_n_grams_that_stand_in_the_training_text() -> None:
    # Ten characters: three 8-grams, of which "the best" and "he best " stand there.
    found = report(["the best X"], TRAINING)
    assert found.characters == 10
    assert found.copied == {"characters_8": 2 / 3}
    assert found.repeated == {"characters_8": 0.0}


def test_copied_words_are_counted_over_consecutive_words() -> None:
    # was the best of nothing: (was the best) and (the best of) stand there, (best of nothing) not.
    found = report(["- was the best of nothing -"], TRAINING)
    assert found.copied["words_3"] == 2 / 3
    assert found.copied["words_5"] == 0


def test_repeated_is_the_share_of_n_grams_said_before_in_the_same_sample() -> None:
    # "abababababab" has five 8-grams: abababab and babababa, three of them said before.
    found = report(["abababababab", "abababab"], TRAINING)
    assert found.repeated == {"characters_8": 1 - (2 + 1) / (5 + 1)}
    assert found.copied == {"characters_8": 0.0}
    words = report([" no no no no "], TRAINING)
    assert words.repeated["words_3"] == 1 / 2


def test_a_part_of_the_training_text_is_all_copied_and_known() -> None:
    found = report([TRAINING[3:60]], TRAINING)
    assert set(found.copied) == {
        "characters_8",
        "characters_16",
        "characters_32",
        "words_3",
        "words_5",
    }
    assert set(found.copied.values()) == {1.0}
    assert found.known_words == 1


def test_a_sample_without_words_has_no_share_of_known_ones() -> None:
    found = report(["{{{}}}"], TRAINING)
    assert (found.words, found.known_words, dict(found.copied)) == (0, None, {})
    assert found.json() == {"characters": 6, "words": 0, "known_words": None}


def test_training_text_in_pieces_is_the_training_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PIECE", 100)
    monkeypatch.setattr(module, "_OVERLAP", 60)
    training = "".join(f"word{chr(97 + k % 26)} number{chr(97 + k // 26)} " for k in range(400))
    samples = [training[start : start + 60] for start in range(0, len(training) - 60, 37)]
    samples += [" numbe wordq ordb ", " wordz numberz "]
    whole = report(samples, training)
    cuts = [*range(0, len(training), 33), len(training)]
    assert report(samples, (training[a:b] for a, b in pairwise(cuts))) == whole
    monkeypatch.undo()
    assert report(samples, training) == whole
    assert 0 < (whole.known_words or 0) < 1


def test_a_report_shows_itself_and_is_json() -> None:
    found = report(["- was the best of nothing -"], TRAINING)
    assert "5 words" in str(found)
    assert "n-grams of words 3" in str(found)
    assert found.json()["copied_words_3"] == 2 / 3
    assert found.json()["known_words"] == 4 / 5


def test_nothing_to_report_on_is_an_error() -> None:
    with pytest.raises(DataError, match="every sample is empty"):
        report(["", ""], TRAINING)


@pytest.mark.parametrize(
    ("text", "shares"),
    [
        ("no brackets", {}),
        ("int f(int x) { return a[x]; }", {"braces": 1, "brackets": 1, "parentheses": 1}),
        ("{ { }", {"braces": 2 / 3}),
        ("} {", {"braces": 0}),
        ("(()))", {"parentheses": 4 / 5}),
        ("{(})", {"braces": 1, "parentheses": 1}),  # each kind by itself
        (r"\begin{a} x \end{a}", {"braces": 1, "environments": 1}),
        (r"\begin{a}\end{b}", {"braces": 1, "environments": 0}),
        # The inner begin is left open, the outer pair is one: 2 of 3.
        (r"\begin{a}\begin{b}\end{a}", {"braces": 1, "environments": 2 / 3}),
        # b is closed after what is around it: only a is a pair, 2 of 4.
        (r"\begin{a}\begin{b}\end{a}\end{b}", {"braces": 1, "environments": 1 / 2}),
    ],
)
def test_balance_is_the_share_of_symbols_with_a_partner(
    text: str, shares: dict[str, float]
) -> None:
    assert balance(text) == pytest.approx(shares)
