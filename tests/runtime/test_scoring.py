"""Scores of a model whose probabilities are written down, and both protocols over a split."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from recurra.errors import ConfigError, DataError
from recurra.results import Score
from recurra.runtime import LanguageModel, scoring
from recurra.runtime.scoring import evaluate_stream, evaluate_windows, score
from recurra.text.tokenizers import Tokenizer, fit

Make = Callable[..., LanguageModel]
BigramOf = Callable[[Tokenizer, NDArray[np.float64]], LanguageModel]
FLOAT32 = 1e-6  # the logits, ln p down to −3, are float32 with unit roundoff 6e-8


def test_a_score_is_minus_the_log_of_each_probability_after_the_one_before(
    bigram: LanguageModel,
) -> None:
    found = score(bigram, "abca")
    # After the newline a: 0.5; then b after a: 0.6, c after b: 0.4, a after c: 0.1.
    assert found.nats == pytest.approx([-math.log(p) for p in (0.5, 0.6, 0.4, 0.1)], abs=FLOAT32)
    assert found.total_nats == pytest.approx(-math.log(0.012), abs=4 * FLOAT32)
    assert found.tokens == ("a", "b", "c", "a")
    assert (found.text, found.context, found.unknown) == ("abca", "\n", 0)


def test_the_context_is_read_but_not_counted(bigram: LanguageModel) -> None:
    found = score(bigram, "a", context="bc")
    assert found.nats == pytest.approx([-math.log(0.1)], abs=FLOAT32)
    assert found.context == "bc"


def test_all_of_the_context_is_read(random_model: Make) -> None:
    model = random_model()
    together = score(model, "hello world".replace(" ", "\n"))
    split = score(model, "world", context="\nhello\n")
    assert split.nats == pytest.approx(together.nats[6:], abs=FLOAT32)


def test_words_without_a_symbol_are_scored_as_the_unknown_one_and_counted(
    bigram_of: BigramOf,
) -> None:
    words = fit("word", ["the cat\n"])  # <unk>, <eos>, cat, the
    p = np.full((4, 4), 0.2)
    p[3] = [0.4, 0.1, 0.4, 0.1]
    p /= p.sum(axis=1, keepdims=True)
    found = score(bigram_of(words, p), "the dog")
    assert found.tokens == ("the", "<unk>")
    assert found.unknown == 1
    assert found.nats == pytest.approx([-math.log(0.25), -math.log(0.4)], abs=FLOAT32)


def test_a_character_never_seen_is_an_error_that_names_it(bigram: LanguageModel) -> None:
    with pytest.raises(DataError, match="no symbol for 'é'"):
        score(bigram, "aé")


def test_an_empty_text_and_an_empty_context_are_errors(bigram: LanguageModel) -> None:
    with pytest.raises(DataError, match="the text '' has no token to score"):
        score(bigram, "")
    with pytest.raises(ConfigError, match="context = '': must hold a symbol"):
        score(bigram, "a", context="")


def test_a_stream_counts_every_token_but_the_first_once(
    bigram: LanguageModel, tokenizer: Tokenizer
) -> None:
    figure = evaluate_stream(bigram, tokenizer.encode("abca"))
    assert figure.tokens == 3
    assert figure.nats_per_token == pytest.approx(-math.log(0.6 * 0.4 * 0.1) / 3, abs=FLOAT32)


def test_a_stream_with_a_context_counts_every_token(
    bigram: LanguageModel, tokenizer: Tokenizer
) -> None:
    figure = evaluate_stream(bigram, tokenizer.encode("abca"), context="\n")
    assert figure.tokens == 4
    assert figure.nats_per_token == pytest.approx(-math.log(0.012) / 4, abs=FLOAT32)


@pytest.mark.parametrize("stretch", [1, 2, 7, 4096])
@pytest.mark.parametrize("context", [None, "ab"])
def test_a_stream_is_the_score_of_its_text_however_it_is_cut(
    random_model: Make, monkeypatch: pytest.MonkeyPatch, stretch: int, context: str | None
) -> None:
    monkeypatch.setattr(scoring, "STRETCH", stretch)
    model = random_model(num_layers=2)
    text = "".join(chr(ord("a") + k) for k in np.random.default_rng(0).integers(0, 26, 30))
    expected: Score = (
        score(model, text[1:], context=text[0]) if context is None else score(model, text, context)
    )
    told: list[tuple[int, int]] = []
    figure = evaluate_stream(
        model,
        model.tokenizer.encode(text),
        context=context,
        progress=lambda done, total: told.append((done, total)),
    )
    assert figure.tokens == len(expected.nats)
    assert figure.nats_per_token == pytest.approx(expected.nats_per_token, abs=FLOAT32)
    assert told[-1] == (figure.tokens, figure.tokens)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_a_stream_of_one_token_leaves_nothing_to_predict(bigram: LanguageModel) -> None:
    with pytest.raises(DataError, match="1 token, and at least 2 are needed to predict one"):
        evaluate_stream(bigram, np.array([1]))
    assert evaluate_stream(bigram, np.array([1]), context="\n").tokens == 1


def test_windows_of_the_only_place_there_is_are_its_score(bigram: LanguageModel) -> None:
    ids = bigram.tokenizer.encode("abca")
    figure = evaluate_windows(bigram, ids, window=3, count=70, seed=0)
    assert figure.nats_per_token == pytest.approx(-math.log(0.6 * 0.4 * 0.1) / 3, abs=FLOAT32)
    assert figure.standard_error == pytest.approx(0, abs=1e-9)  # 70 equal float64 values
    assert figure.tokens == 210


def test_windows_start_anywhere_from_the_initial_state(random_model: Make) -> None:
    model = random_model()
    ids = np.random.default_rng(0).integers(0, 27, 40)
    window, places = 8, 32
    each = [
        model.nats(ids[k : k + window], ids[k + 1 : k + window + 1], model.initial_state(1))[0]
        for k in range(places)
    ]
    means = np.array([nats.mean() for nats in each])
    count = 3000
    figure = evaluate_windows(model, ids, window=window, count=count, seed=0)
    error = means.std() / math.sqrt(count)
    # The mean over all places is what random ones estimate; 4 standard errors, fixed seed.
    assert abs(figure.nats_per_token - means.mean()) < 4 * error
    # A standard deviation from 3000 draws is known to about 1.3 %; 4 times that.
    assert figure.standard_error == pytest.approx(error, rel=0.052)
    assert figure == evaluate_windows(model, ids, window=window, count=count, seed=0)
    assert figure != evaluate_windows(model, ids, window=window, count=count, seed=1)


def test_one_window_has_no_standard_error(bigram: LanguageModel) -> None:
    figure = evaluate_windows(bigram, np.array([1, 2, 3]), window=2, count=1, seed=0)
    assert figure.standard_error is None


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        ({"window": 3}, DataError, "3 tokens, and windows of 3 need at least 4"),
        ({"window": 0}, ConfigError, "window = 0: must be 1 or more"),
        ({"count": 0}, ConfigError, "count = 0: must be 1 or more"),
    ],
)
def test_windows_that_cannot_be_are_named(
    bigram: LanguageModel, asked: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as caught:
        evaluate_windows(
            bigram, np.array([1, 2, 3]), **{"window": 1, "count": 1, "seed": 0, **asked}
        )
    assert message in str(caught.value)
