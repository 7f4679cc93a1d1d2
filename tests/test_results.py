"""Results show themselves: their arithmetic, their JSON and their HTML."""

from __future__ import annotations

import json
import math
from dataclasses import replace

from recurra.results import Answers, Evaluation, Sample, Samples, Score

SCORE = Score("ab", ("a", "b"), (math.log(2), math.log(8)), "\n")


def test_a_score_is_the_sum_and_mean_of_its_tokens() -> None:
    # ln 2 + ln 8 = 4 ln 2 over 2 tokens: 2 bits a token, perplexity 4
    assert math.isclose(SCORE.total_nats, 4 * math.log(2))
    assert math.isclose(SCORE.bits_per_token, 2.0)
    assert math.isclose(SCORE.perplexity, 4.0)


def test_one_token_is_not_told_as_several() -> None:
    assert "over 1 token: 'x'" in str(Score("x", ("x",), (1.0,), "\n"))
    assert "over 2 tokens: 'ab'" in str(SCORE)
    assert str(Evaluation({}, "all", 1)) == "all: 1 token"
    assert str(Evaluation({}, "all", 23253)) == "all: 23,253 tokens"


def test_a_perplexity_past_float64_is_finite() -> None:
    assert math.isfinite(Score("x", ("x",), (5000.0,), "\n").perplexity)


def test_json_keys_name_their_units() -> None:
    values = json.loads(json.dumps(SCORE.json()))
    assert values["total_nats"] == SCORE.total_nats
    assert values["per_token"][1] == {"token": "b", "nats": math.log(8)}
    evaluation = Evaluation({"nats_per_token_stateful": 1.5}, "the test part", 10)
    assert evaluation.json() == {
        "split": "the test part",
        "tokens": 10,
        "nats_per_token_stateful": 1.5,
        "notes": [],
    }


def test_html_never_lets_a_text_become_markup() -> None:
    hostile = "<script>alert(1)</script>"
    shown = (
        Score(hostile, (hostile,), (1.0,), "\n")._repr_html_(),
        Sample(hostile, hostile, 1.0, 0)._repr_html_(),
        Evaluation({hostile: 1.0}, hostile, 1, (hostile,))._repr_html_(),
    )
    assert all("<script>" not in html for html in shown)


def test_a_figure_that_rounds_to_zero_has_no_sign() -> None:
    assert "-0.0000" not in str(Evaluation({"nats_lost": -1e-6}, "the test part", 6))


def test_an_evaluation_says_in_a_notebook_what_it_says_in_text() -> None:
    evaluation = Evaluation({"accuracy": 0.5}, "the test part", 6, ("3 count <twice>",), "word")
    assert evaluation._repr_html_() == (
        "<table><caption>the test part: 6 words</caption><tr><td>accuracy</td><td>0.5000</td></tr>"
        "</table><p>3 count &lt;twice&gt;</p>"
    )


def test_a_sample_reads_as_prompt_and_text() -> None:
    assert str(Sample("To be", ", or not", 3.0, 7)) == "To be, or not"


def test_several_samples_show_themselves_and_what_there_is_to_say_of_them_once() -> None:
    said = ("<told>",)
    samples = Samples([Sample("a", "<b>", 1.0, 0, 1, said), Sample("a", "c", 1.0, 0, 2, said)])
    assert str(samples) == "a<b>\nac"
    shown = samples._repr_html_()
    assert shown == "<pre><b>a</b>&lt;b&gt;</pre><pre><b>a</b>c</pre><p>&lt;told&gt;</p>"


def test_a_score_names_the_share_of_tokens_that_are_unknown() -> None:
    nats = (1.0, 2.0, 3.0, 2.0)
    score = Score("a b c d", tuple("abcd"), nats, "\n", unknown=1)
    assert str(score).endswith("over 4 tokens, 25% unknown: 'a b c d'")
    assert "unknown" not in str(replace(score, unknown=0))


def test_several_answers_show_themselves_in_a_notebook_one_after_the_other() -> None:
    answers = Answers([Sample("a<", "b", 1.0, 0), Sample("c", "d", 1.0, 0)])
    assert answers._repr_html_() == "<pre><b>a&lt;</b>b</pre><pre><b>c</b>d</pre>"
    assert str(answers) == "a<b\ncd"


def test_names_are_printed_a_line_each_and_texts_of_lines_with_one_between() -> None:
    def samples(*texts: str) -> Samples:
        return Samples([Sample("", text, 1.0, 0, 1, ()) for text in texts])

    assert str(samples("Ann", "Bo")) == "Ann\nBo"
    assert str(samples("a\nb", "c")) == "a\nb\n\nc"
