"""Text drawn from models whose probabilities are written down."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from recurra.errors import ConfigError, DataError
from recurra.runtime import LanguageModel, sampling
from recurra.runtime.sampling import beam, sample, stream
from recurra.text.tokenizers import Tokenizer, fit

Make = Callable[..., LanguageModel]
BigramOf = Callable[[Tokenizer, NDArray[np.float64]], LanguageModel]


def cycle(size: int, following: dict[int, int]) -> NDArray[np.float64]:
    """p(next | last) that is nearly sure of `following`, and of 0 after anything else."""
    p = np.full((size, size), 1e-9)
    for last in range(size):
        p[last, following.get(last, 0)] = 1.0
    shares: NDArray[np.float64] = p / p.sum(axis=1, keepdims=True)
    return shares


@pytest.fixture
def byte_cycle(bigram_of: BigramOf) -> LanguageModel:
    """Says é€ again and again, a byte at a time, after a newline."""
    said = "\né€".encode()
    return bigram_of(
        fit("byte", [""]), cycle(256, dict(zip(said, said[1:] + said[1:2], strict=True)))
    )


def test_temperature_zero_says_the_most_probable_each_time(bigram: LanguageModel) -> None:
    (one,) = sample(bigram, "a", length=6, temperature=0)
    assert one.text == "bc\nabc"  # a→b 0.6, b→c 0.4, c→newline 0.7, newline→a 0.5
    expected = -math.log(0.6 * 0.4 * 0.7 * 0.5 * 0.6 * 0.4)
    assert one.nats == pytest.approx(expected, abs=1e-6)  # six float32 logits
    assert str(one) == "abc\nabc"


def test_symbols_come_as_often_as_the_model_says(
    bigram: LanguageModel, bigrams: NDArray[np.float64]
) -> None:
    (one,) = sample(bigram, "a", length=20_000, seed=3)
    ids = bigram.tokenizer.encode("a" + one.text)
    counts = np.zeros((4, 4))
    np.add.at(counts, (ids[:-1], ids[1:]), 1)
    of_each = counts.sum(axis=1, keepdims=True)
    # 4 standard deviations of a binomial share; the seed is fixed, so this never flickers.
    bound = 4 * np.sqrt(bigrams * (1 - bigrams) / of_each)
    assert np.all(np.abs(counts / of_each - bigrams) < bound)


def test_the_same_seed_gives_the_same_text_and_another_seed_another(random_model: Make) -> None:
    model = random_model()
    first = sample(model, "abc", length=200, seed=5)
    assert sample(model, "abc", length=200, seed=5) == first
    assert sample(model, "abc", length=200, seed=6)[0].text != first[0].text
    assert first[0].seed == 5


def test_each_of_several_samples_is_the_one_that_fewer_would_give(random_model: Make) -> None:
    model = random_model(num_layers=2)
    texts = [one.text for one in sample(model, "abc", length=120, count=5)]
    assert len(set(texts)) == 5
    for count in (1, 2, 4):
        few = sample(model, "abc", length=120, count=count)
        assert [one.text for one in few] == texts[:count]


def test_samples_that_stop_early_do_not_change_the_others(random_model: Make) -> None:
    model = random_model()
    free = [one.text for one in sample(model, length=300, count=6)]
    cut = [one.text for one in sample(model, length=300, count=6, stop=("q",))]
    assert cut == [text.partition("q")[0] for text in free]
    assert len({len(text) for text in cut}) > 1


@pytest.mark.parametrize("stop", ["q", "th", "zzz"])
@pytest.mark.parametrize("seed", range(4))
def test_the_streamed_pieces_are_the_sample(random_model: Make, stop: str, seed: int) -> None:
    model = random_model()
    asked: dict[str, Any] = {"length": 400, "temperature": 0.9, "top_k": 20, "top_p": 0.95}
    (one,) = sample(model, "abc", stop=(stop,), seed=seed, **asked)
    pieces = list(stream(model, "abc", stop=(stop,), seed=seed, **asked))
    assert "".join(pieces) == one.text
    assert all(pieces)


def test_text_is_streamed_a_symbol_at_a_time_where_nothing_stands_against_it(
    bigram: LanguageModel,
) -> None:
    assert list(stream(bigram, "a", length=4, temperature=0)) == ["b", "c", "\n", "a"]


def test_what_may_begin_a_stop_string_is_held_back_until_it_does_not(
    bigram: LanguageModel,
) -> None:
    pieces = stream(bigram, "a", length=6, temperature=0, stop=("c\nb",))
    assert list(pieces) == ["b", "c\na", "b", "c"]


def test_a_stop_string_ends_the_text_before_it_and_its_symbols_count(
    bigram: LanguageModel,
) -> None:
    (one,) = sample(bigram, "a", length=99, temperature=0, stop=("\na", "nowhere"))
    assert one.text == "bc"
    assert one.nats == pytest.approx(-math.log(0.6 * 0.4 * 0.7 * 0.5), abs=1e-6)


def test_a_stop_string_may_begin_within_a_token(bigram_of: BigramOf) -> None:
    words = fit("word", ["one two three\n"])  # <unk>, <eos>, one, three, two
    model = bigram_of(words, cycle(5, {1: 2, 2: 4, 4: 3, 3: 1}))
    (one,) = sample(model, "one", length=3, temperature=0, stop=("o th",))
    assert one.text == " tw"


def test_a_stop_string_in_the_prompt_is_not_looked_for(bigram: LanguageModel) -> None:
    (one,) = sample(bigram, "bcb", length=2, temperature=0, stop=("b",))
    assert one.text == "c\n"


def test_words_are_joined_to_the_prompt_as_text(bigram_of: BigramOf) -> None:
    words = fit("word", ["one two three\n"])
    model = bigram_of(words, cycle(5, {1: 2, 2: 4, 4: 3, 3: 1}))
    (one,) = sample(model, "one", length=4, temperature=0)
    assert str(one) == "one two three\none"
    (fresh,) = sample(model, length=3, temperature=0)
    assert fresh.text == "one two three"


def test_characters_of_several_bytes_are_streamed_whole(byte_cycle: LanguageModel) -> None:
    assert list(stream(byte_cycle, length=10, temperature=0)) == ["é", "€", "é", "€"]


def test_bytes_cut_within_a_character_end_in_the_replacement_character(
    byte_cycle: LanguageModel,
) -> None:
    (one,) = sample(byte_cycle, length=4, temperature=0)
    assert one.text == "é\ufffd"
    assert "".join(stream(byte_cycle, length=4, temperature=0)) == one.text


def test_the_unknown_symbol_is_never_drawn(bigram_of: BigramOf) -> None:
    words = fit("word", ["one two\n"])  # <unk>, <eos>, one, two
    p = np.tile([0.97, 0.01, 0.01, 0.01], (4, 1))
    model = bigram_of(words, p)
    for temperature in (0.0, 1.0):
        (one,) = sample(model, length=200, temperature=temperature)
        assert "<unk>" not in one.text
    assert one.nats == pytest.approx(-200 * math.log(0.01), rel=1e-6)  # the model as it is
    for found in beam(model, length=3, width=4):
        assert "<unk>" not in found.text
        assert found.nats == pytest.approx(-3 * math.log(0.01), rel=1e-6)


def test_an_empty_prompt_starts_after_the_context(bigram: LanguageModel) -> None:
    assert sample(bigram, length=1, temperature=0)[0].text == "a"  # the likeliest after a newline
    assert sample(bigram, length=1, temperature=0, context="ab")[0].text == "c"


def test_a_prompt_starts_from_nothing_unless_a_context_is_given(random_model: Make) -> None:
    model = random_model()
    asked: dict[str, Any] = {"length": 100, "seed": 1}
    alone = sample(model, "abc", **asked)[0]
    after_a = sample(model, "bc", context="a", **asked)[0]
    assert (after_a.text, after_a.nats) == (alone.text, alone.nats)
    assert sample(model, "abc", context="\n", **asked)[0].nats != alone.nats


def test_unknown_words_of_a_prompt_are_noted(bigram_of: BigramOf) -> None:
    model = bigram_of(fit("word", ["one two\n"]), np.full((4, 4), 0.25))
    (one,) = sample(model, "one seven", length=1)
    assert one.notes == ("the prompt has 1 symbol unknown to the model: 'seven'",)


def test_no_length_draws_nothing(bigram: LanguageModel) -> None:
    (one,) = sample(bigram, "a", length=0)
    assert (one.text, one.nats) == ("", 0.0)
    assert list(stream(bigram, "a", length=0)) == []
    assert [found.text for found in beam(bigram, "a", length=0, width=3)] == [""]


def test_a_beam_of_one_is_the_sample_at_temperature_zero(random_model: Make) -> None:
    model = random_model()
    (greedy,) = sample(model, "abc", length=30, temperature=0)
    (found,) = beam(model, "abc", length=30, width=1)
    assert found.text == greedy.text
    assert found.nats == pytest.approx(greedy.nats, abs=1e-5)  # thirty float32 log-probabilities


def test_a_beam_finds_the_likeliest_and_says_what_beams_do(bigram: LanguageModel) -> None:
    found = beam(bigram, "b", length=2, width=3)
    # c then newline: 0.4 · 0.7; a then b: 0.2 · 0.6; newline then a: 0.2 · 0.5.
    assert [one.text for one in found] == ["c\n", "ab", "\na"]
    assert [math.exp(-one.nats) for one in found] == pytest.approx([0.28, 0.12, 0.1], abs=1e-6)
    assert "repeats itself" in found[0].notes[-1]


def test_where_sequences_end_a_beam_finds_none_that_is_empty(
    bigram_of: Make, tokenizer: Tokenizer
) -> None:
    p = np.array(  # p(next | symbol) of \n, a, b, c; behind START the end itself is likeliest
        [
            [0.7, 0.15, 0.1, 0.05],
            [0.9, 0.04, 0.04, 0.02],
            [0.8, 0.1, 0.05, 0.05],
            [0.9, 0.04, 0.03, 0.03],
        ]
    )
    model = bigram_of(tokenizer, p, stop="\n")
    found = beam(model, width=3)
    # 0.15 · 0.9, 0.1 · 0.8, 0.05 · 0.9
    assert [one.text for one in found] == ["a", "b", "c"]
    assert [math.exp(-one.nats) for one in found] == pytest.approx([0.135, 0.08, 0.045], abs=1e-6)
    assert "stand in the training part" in found[0].notes[-1]
    # behind a prompt the end may come at once: the name is the prompt
    assert [one.text for one in beam(model, "a", width=2)] == ["", "a"]


@pytest.mark.parametrize("native", [True, False])
def test_where_sequences_end_none_that_is_drawn_is_empty(
    bigram_of: Make, tokenizer: Tokenizer, native: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not native:
        monkeypatch.setenv("RECURRA_KERNELS", "off")
    p = np.full((4, 4), [0.9, 0.06, 0.03, 0.01])  # the end is likeliest, behind START too
    model = bigram_of(tokenizer, p, stop="\n")
    if native and model.sampler is None:
        pytest.skip("no native kernels")
    first = [one.text[0] for one in sample(model, count=2000, seed=3)]
    # 0.6, 0.3 and 0.1 of what is left without the end, within 4 standard deviations
    for letter, share in (("a", 0.6), ("b", 0.3), ("c", 0.1)):
        deviation = math.sqrt(2000 * share * (1 - share))
        assert abs(first.count(letter) - 2000 * share) <= 4 * deviation
    assert "" in [one.text for one in sample(model, "a", count=20)]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"temperature": -1.0}, "temperature = -1.0: must be 0"),
        ({"top_p": 0.0}, "top_p = 0.0: must be in (0, 1]"),
        ({"top_k": 0}, "top_k = 0: must be 1 or more"),
        ({"length": -3}, "length = -3: must be 0 to 10,000,000"),
        ({"length": 10**13}, "length = 10000000000000: must be 0 to 10,000,000"),
        ({"stop": ("",)}, "stop = ('',): an empty string stands everywhere"),
        ({"context": ""}, "context = '': must hold a symbol"),
    ],
)
@pytest.mark.parametrize("door", [sample, stream])
def test_a_setting_that_cannot_be_is_named_at_once(
    bigram: LanguageModel, door: Callable[..., Any], asked: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        door(bigram, **{"length": 5, **asked})
    assert message in str(caught.value)


def test_no_samples_and_no_beam_cannot_be_asked_for(bigram: LanguageModel) -> None:
    with pytest.raises(ConfigError, match="count = 0: must be 1 to 10,000"):
        sample(bigram, length=1, count=0)
    with pytest.raises(ConfigError, match="width = 0: must be 1 to 1,000"):
        beam(bigram, length=1, width=0)


def test_more_samples_or_beams_than_memory_holds_are_refused(bigram: LanguageModel) -> None:
    with pytest.raises(ConfigError, match="count = 10001: must be 1 to 10,000"):
        sample(bigram, length=1, count=10_001)
    with pytest.raises(ConfigError, match="width = 1001: must be 1 to 1,000"):
        beam(bigram, length=1, width=1001)
    with pytest.raises(ConfigError, match="length = 10001: must be at most 10,000,000 ÷ the width"):
        beam(bigram, length=10_001, width=1000)


def test_samples_drawn_in_several_lots_are_those_of_one(
    random_model: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = random_model()
    asked: dict[str, Any] = {"length": 60, "count": 7, "stop": ("q",)}
    together = sample(model, "abc", **asked)
    monkeypatch.setattr(sampling, "NUMBERS_AT_ONCE", 3 * model.vocab_size)  # three at a time
    in_lots = sample(model, "abc", **asked)
    assert [one.text for one in in_lots] == [one.text for one in together]
    # float32 products of a batch of three round otherwise than of seven: 60 of some 1e-7
    assert [one.nats for one in in_lots] == pytest.approx([one.nats for one in together], abs=1e-4)


def test_a_prompt_with_a_character_never_seen_is_an_error_that_names_it(
    bigram: LanguageModel,
) -> None:
    with pytest.raises(DataError, match="no symbol for 'é'"):
        stream(bigram, "é", length=5)
