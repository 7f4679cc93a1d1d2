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
