"""`score`, with a model whose probabilities are known."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable

import pytest

from recurra.cli import main

Refusal = Callable[..., str]


def test_a_score_is_minus_ln_p_in_nats_bits_and_perplexity(
    run: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["score", run, "ab", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    nats = [-math.log(3 / 8), -math.log(1 / 8)]
    mean = sum(nats) / 2
    # the bias is float32: 1e-6 is ten of its roundings
    assert found.pop("per_token") == [
        {"token": "a", "nats": pytest.approx(nats[0], abs=1e-6)},
        {"token": "b", "nats": pytest.approx(nats[1], abs=1e-6)},
    ]
    assert found == {
        "text": "ab",
        "context": "\n",
        "tokens": 2,
        "unknown_tokens": 0,
        "total_nats": pytest.approx(sum(nats), abs=1e-6),
        "nats_per_token": pytest.approx(mean, abs=1e-6),
        "bits_per_token": pytest.approx(mean / math.log(2), abs=1e-6),
        "perplexity": pytest.approx(math.exp(mean), abs=1e-5),
    }


def test_several_texts_are_ranked_the_likeliest_first(
    run: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["score", run, "bb", "a", "ab"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "likeliest first, by nats a token"
    assert [line.rsplit(": ", 1)[1] for line in lines[1:4]] == ["'a'", "'ab'", "'bb'"]
    # −ln 3/8 = 0.9808 nats = 1.4150 bits
    assert lines[1].startswith("0.981 nats, 0.9808 a token (1.4150 bits, perplexity 2.667)")
    assert lines[4] == "(each starts after '\\n', itself not counted)"


def test_json_of_several_texts_is_an_object_a_line_the_likeliest_first(
    run: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["score", run, "b", "a", "--json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["text"] for line in lines] == ["a", "b"]


def test_per_token_shows_what_each_token_costs(
    run: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["score", run, "a\nb", "--per-token"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:5] == [
        "  nats     token",
        "   0.9808  'a'",
        "   0.6931  '\\n'",
        "   2.0794  'b'",
    ]


def test_score_reads_standard_input_and_says_its_context(
    run: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"ab\n")))
    assert main(["score", run, "-", "--context", "b"]) == 0
    shown = capsys.readouterr().out
    assert "over 3 tokens: 'ab\\n'" in shown
    assert "starts after 'b', itself not counted" in shown


def test_standard_input_without_a_text_or_asked_for_twice_is_refused(
    run: str, refusal: Refusal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"")))
    assert refusal("score", run, "-") == "standard input is empty: there is no text to score."
    assert refusal("score", run, "-", "a", "-") == (
        "- was given twice: standard input holds one text."
    )


def test_a_text_of_one_symbol_has_a_score_and_an_empty_one_has_none(
    run: str, refusal: Refusal, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["score", run, "a"]) == 0
    assert "over 1 token: 'a'" in capsys.readouterr().out
    assert refusal("score", run, "") == ("the text '' has no token to score: give at least one.")


def test_score_without_a_text_is_refused(run: str, refusal: Refusal) -> None:
    assert refusal("score", run) == ("score needs a TEXT, or - to read one from standard input.")
