"""The n-gram beside the word model is a probability distribution, and Kneser and Ney's."""

from __future__ import annotations

import math
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def ngram() -> ModuleType:
    module = ModuleType("ngram")
    source = (ROOT / "benchmarks" / "ngram.py").read_text(encoding="utf-8")
    exec(compile(source, "ngram.py", "exec"), module.__dict__)
    return module


TEXT = "the cat sat on the mat\nthe dog sat on the cat\na cat sat\n"


@pytest.mark.parametrize("order", [1, 2, 3, 5])
@pytest.mark.parametrize("history", [(), ("the",), ("sat", "on"), ("never", "seen")])
def test_probabilities_sum_to_one_after_any_history(
    ngram: ModuleType, order: int, history: tuple[str, ...]
) -> None:
    model = ngram.KneserNey(ngram.tokens(TEXT.splitlines()), order)
    history = history[-(order - 1) :] if order > 1 else ()
    total = math.fsum(model.probability(word, history) for word in model.vocabulary)
    assert math.isclose(total, 1.0, rel_tol=1e-12)  # float64 sums of about ten terms


def test_a_bigram_is_the_formula_worked_by_hand(ngram: ModuleType) -> None:
    # a b a b a c: bigrams ab 2, ba 2, ac 1; vocabulary a b c <unk>.
    # Bigram discount 1 / (1 + 2·2) = 0.2. Continuations: a after b; b after a; c after a: all 1,
    # so n1 = 3, n2 = 0 and the unigram discount is 3/3 = 1: the unigram is all uniform, 1/4.
    model = ngram.KneserNey(["a", "b", "a", "b", "a", "c"], 2)
    after_a = (2 - 0.2) / 3 + 0.2 * 2 / 3 * 0.25
    assert math.isclose(model.probability("b", ("a",)), after_a, rel_tol=1e-12)


def test_ends_of_lines_and_unknown_words_are_tokens(ngram: ModuleType) -> None:
    assert ngram.tokens(["a b", "c"]) == ["a", "b", "<eos>", "c", "<eos>"]
    assert ngram.with_unknown(["a", "z"], {"a"}) == ["a", "<unk>"]


def test_names_begin_anew_and_their_ends_are_counted(ngram: ModuleType) -> None:
    # ab, ac: bigrams START a 2, a b 1, a c 1, b END 1, c END 1. One count of 2, four of 1, so
    # the discount is 4 / (4 + 2) = 2/3. Followers: a after START; b and c after a; END after b, c.
    # Predecessors: a 1 (START), b 1, c 1, END 2; n1 = 3, n2 = 1: unigram discount 3 / 5; total 5.
    model = ngram.KneserNey.of_names(["ab", "ac"], 2, {"a", "b", "c"})
    uniform = 0.6 * 4 / 5 / 4
    p_a, p_b, p_end = (1 - 0.6) / 5 + uniform, (1 - 0.6) / 5 + uniform, (2 - 0.6) / 5 + uniform
    first = (2 - 2 / 3) / 2 + 2 / 3 * 1 / 2 * p_a
    second = (1 - 2 / 3) / 2 + 2 / 3 * 2 / 2 * p_b
    last = (1 - 2 / 3) / 1 + 2 / 3 * 1 / 1 * p_end
    expected = -(math.log(first) + math.log(second) + math.log(last)) / 3
    assert math.isclose(model.nats_of_names(["ab"]), expected, rel_tol=1e-12)


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_after_any_history_of_a_name_probabilities_sum_to_one(
    ngram: ModuleType, order: int
) -> None:
    model = ngram.KneserNey.of_names(["anna", "bo", "ann"], order, set("anbox"))
    histories: list[tuple[str, ...]] = [(), (ngram.START,), (ngram.START, "a"), ("n", "x")]
    for history in histories:
        history = history[-(order - 1) :] if order > 1 else ()
        total = math.fsum(model.probability(one, history) for one in model.vocabulary)
        assert math.isclose(total, 1.0, rel_tol=1e-12)  # float64 sums of six terms
