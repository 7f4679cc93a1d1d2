"""A user's text to ids: what is no text or has no symbol is named, with its place and a way out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from recurra.errors import ConfigError, DataError
from recurra.runtime import LanguageModel
from recurra.runtime.given import check_valid, encode
from recurra.runtime.sampling import beam, sample, stream
from recurra.runtime.scoring import score
from recurra.text.tokenizers import fit

CHARS = fit("char", ["\nabc"])


def test_a_text_of_known_symbols_is_its_ids() -> None:
    assert encode(CHARS, "ab\nc", "the text").tolist() == [1, 2, 0, 3]
    assert encode(fit("byte", [""]), "é", "the text").tolist() == list("é".encode())


def test_a_symbol_never_seen_is_named_with_its_place_and_a_way_out() -> None:
    with pytest.raises(DataError) as caught:
        encode(CHARS, "abé", "the prompt")
    assert str(caught.value) == (
        "the model has no symbol for 'é' (U+00E9), character 2 of the prompt, counted from 0: it "
        "was not in the text it was trained on. Leave it out, or train on text that has it, or "
        "train an lm with --tokens byte, which reads any text."
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [("aλéλ", "for 'λ' (U+03BB), character 1"), ("zλé", "for 'z' (U+007A), character 0")],
)
def test_of_several_symbols_never_seen_the_first_is_named_and_the_others_counted(
    text: str, told: str
) -> None:
    with pytest.raises(DataError) as caught:
        encode(CHARS, text, "the text")
    assert told in str(caught.value)
    others = len(set(text) - set("abc")) - 1
    assert f"(nor for {others} other symbol{'s' * (others > 1)} in it)" in str(caught.value)


def test_an_unknown_symbol_stands_for_all_that_was_never_seen() -> None:
    words = fit("word", ["one two\n"])
    assert encode(words, "one seven", "the text")[1] == words.unknown_id


@pytest.mark.parametrize(
    ("text", "found"),
    [("ab\udcff", "byte 0xff at character 2"), ("\ud800", "half a surrogate pair, U+D800, at")],
)
def test_half_a_surrogate_pair_is_no_text(text: str, found: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_valid(text, "the prompt")
    assert str(caught.value).startswith(f"the prompt is not valid text (UTF-8): {found}")
    assert "give the text in UTF-8" in str(caught.value)
    check_valid("\U0001d11e é", "the prompt")


@pytest.mark.parametrize(
    ("ask", "what"),
    [
        (lambda model: sample(model, "\ud800", length=1), "the prompt"),
        (lambda model: stream(model, "\ud800", length=1), "the prompt"),
        (lambda model: beam(model, "\ud800", length=1, width=1), "the prompt"),
        (lambda model: sample(model, length=1, context="\ud800"), "the context"),
        (lambda model: sample(model, length=1, stop=("a", "\ud800")), "a stop text"),
        (lambda model: stream(model, length=1, stop=("\ud800",)), "a stop text"),
        (lambda model: score(model, "\ud800"), "the text"),
        (lambda model: score(model, "a", context="\ud800"), "the context"),
    ],
)
@pytest.mark.parametrize("kind", ["char", "byte"])
def test_every_text_given_to_a_model_must_be_text(
    bigram: LanguageModel,
    bigram_of: Callable[..., LanguageModel],
    ask: Callable[[LanguageModel], Any],
    what: str,
    kind: str,
) -> None:
    model = bigram if kind == "char" else bigram_of(fit("byte", [""]), np.full((256, 256), 1 / 256))
    with pytest.raises(ConfigError, match=f"^{what} is not valid text"):
        ask(model)


@pytest.mark.parametrize(
    ("ask", "given", "told"),
    [
        (score, {"text": ["a", "b"]}, "the text must be one str, not list."),
        (score, {"text": "a", "context": 3}, "the context must be one str, not int."),
        (sample, {"prompt": b"a", "length": 1}, "the prompt must be one str, not bytes."),
    ],
)
def test_what_is_no_string_is_refused_by_its_kind(
    bigram: LanguageModel, ask: Callable[..., Any], given: dict[str, Any], told: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        ask(bigram, **given)
    assert str(caught.value) == told
