"""Sequences that end: each begins after START, ends at the stop symbol, and never goes on."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from recurra.errors import ConfigError
from recurra.runtime import LanguageModel, NetworkSettings, start
from recurra.runtime.sampling import BEAM_OF_SEQUENCES_NOTE, LENGTH, beam, sample, stream
from recurra.runtime.scoring import score
from recurra.text.tokenizers import Tokenizer, fit, with_special

Weights = Callable[..., dict[str, NDArray[np.float32]]]
BigramOf = Callable[[Tokenizer, NDArray[np.float64]], LanguageModel]

# p(next | last) over newline, a, b, <x>, <y>: class x begins with a, class y with b; then a stop
# symbol half of the time. A START may follow with 0.1, and must not be drawn.
P = np.array(
    [
        [0.1, 0.4, 0.3, 0.1, 0.1],
        [0.5, 0.2, 0.1, 0.1, 0.1],
        [0.5, 0.1, 0.2, 0.1, 0.1],
        [1e-9, 1.0, 1e-9, 1e-9, 1e-9],
        [1e-9, 1e-9, 1.0, 1e-9, 1e-9],
    ]
)


@pytest.fixture
def names(bigram_of: BigramOf) -> LanguageModel:
    """Names of two classes."""
    tokenizer = with_special(fit("char", ["\nab"]), ["<x>", "<y>"])
    open_ended = bigram_of(tokenizer, P)
    return with_stop(open_ended, P)


def with_stop(model: LanguageModel, p: NDArray[np.float64]) -> LanguageModel:
    size = len(p)
    weights = {
        "recurrent.l0.weight_ih": (20 * np.eye(size)).astype(np.float32),
        "recurrent.l0.weight_hh": np.zeros((size, size), np.float32),
        "recurrent.l0.bias": np.zeros(size, np.float32),
        "projection.weight": np.log(p).T.astype(np.float32),
        "projection.bias": np.zeros(size, np.float32),
    }
    settings = NetworkSettings(cell="rnn", hidden_size=size, embedding_size=0)
    return LanguageModel(settings, model.tokenizer, weights, stop="\n")


def test_a_sample_begins_as_its_class_does_and_ends_before_the_stop_symbol(
    names: LanguageModel,
) -> None:
    for label, first in (("x", "a"), ("y", "b")):
        drawn = [one.text for one in sample(names, count=300, label=label)]
        assert {text[0] for text in drawn} == {first}
        assert set("".join(drawn)) == {"a", "b"}  # neither a stop symbol nor a START
        # without the two STARTs a stop follows with 0.5/0.8: a mean of 1.6 letters, spread 0.98;
        # four standard errors of 300
        assert sum(map(len, drawn)) / 300 == pytest.approx(1.6, abs=4 * 0.98 / 300**0.5)


def test_the_nats_of_a_sample_count_its_stop_symbol(names: LanguageModel) -> None:
    (one,) = sample(names, label="x", temperature=0)
    assert one.text == "a"
    assert one.nats == pytest.approx(-math.log(0.5), abs=1e-6)  # float32 logits
    assert one.nats == pytest.approx(score(names, "a", label="x").total_nats, abs=1e-6)


def test_a_stream_is_the_sample(names: LanguageModel) -> None:
    for seed in range(5):
        (one,) = sample(names, label="y", seed=seed)
        assert "".join(stream(names, label="y", seed=seed)) == one.text


def test_a_score_counts_the_stop_symbol_after_the_text(names: LanguageModel) -> None:
    found = score(names, "ab", label="x")
    assert found.tokens == ("a", "b", "\n")
    wanted = [0.0, -math.log(0.1), -math.log(0.5)]
    assert found.nats == pytest.approx(wanted, abs=1e-6)
    assert found.context == "<x>"


def test_a_prompt_is_kept_and_a_length_that_is_given_cuts(names: LanguageModel) -> None:
    (one,) = sample(names, "ab", label="x", length=0)
    assert str(one) == "ab"
    drawn = sample(names, "ab", label="x", length=1, count=50)
    assert max(len(one.text) for one in drawn) == 1


def test_there_is_no_cap_on_what_ends_by_itself(bigram_of: BigramOf) -> None:
    p = np.array([[1e-9, 1.0], [0.002, 0.998]])
    model = with_stop(bigram_of(fit("char", ["\na"]), p), p)
    lengths = [len(one.text) for one in sample(model, count=40)]
    assert max(lengths) > LENGTH  # a mean of 500 letters: 40 of them under 200 has p = 1e-19
    assert sum(lengths) / 40 == pytest.approx(501, abs=4 * 500 / 40**0.5)


def test_a_beam_ends_at_the_stop_symbol_and_says_the_likeliest_name(names: LanguageModel) -> None:
    found = beam(names, label="y", width=3)
    assert [one.text for one in found] == ["b", "bb", "ba"]
    assert found[0].nats == pytest.approx(-math.log(0.5), abs=1e-6)
    assert found[0].notes == (BEAM_OF_SEQUENCES_NOTE,)  # and nothing of text that repeats itself


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({}, r"this run has classes: give --label, one of x, y\."),
        ({"label": "z"}, r"unknown label 'z'\. Have: x, y\."),
        ({"label": "x", "context": "a"}, "context = 'a': each sequence of this run starts by"),
    ],
)
def test_a_class_that_is_missing_or_unknown_and_a_context_are_refused(
    names: LanguageModel, asked: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        sample(names, **asked)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=message):
        score(names, "a", **asked)


def test_a_text_of_two_lines_is_refused(names: LanguageModel) -> None:
    with pytest.raises(ConfigError, match="holds the stop symbol: give one line at a time"):
        score(names, "a\nb", label="x")
    with pytest.raises(ConfigError, match="holds the stop symbol"):
        sample(names, "a\nb", label="x")


def test_a_run_without_classes_refuses_one(bigram: LanguageModel) -> None:
    with pytest.raises(ConfigError, match="label = 'x': this run has no classes"):
        sample(bigram, label="x")
    plain = with_stop(bigram, np.full((4, 4), 0.25))
    with pytest.raises(ConfigError, match="label = 'x': this run has no classes"):
        sample(plain, label="x")


def test_a_stop_symbol_is_one_symbol(bigram: LanguageModel) -> None:
    settings = NetworkSettings(cell="rnn", hidden_size=4, embedding_size=0)
    with pytest.raises(ConfigError, match="stop = 'ab': must be one symbol"):
        LanguageModel(settings, bigram.tokenizer, {}, stop="ab")


def test_labels_are_the_names_inside_their_symbols() -> None:
    assert start.labels([start.symbol(one) for one in ("Scottish", "<", "")]) == [
        "Scottish",
        "<",
        "",
    ]
