"""`sample`, and what it has in common with `score`, with a model whose probabilities are known."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from recurra import store
from recurra.cli import main
from tests.cli.fixed_model import P, fixed_model

Refusal = Callable[..., str]


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["sample", "RUN", "--prompt", "a\udcff"], "the prompt"),
        (["sample", "RUN", "--stop", "a\udcff"], "a stop text"),
        (["sample", "RUN", "--context", "a\udcff", "--json"], "the context"),
        (["score", "RUN", "a\udcff"], "the text"),
    ],
)
def test_an_argument_that_is_not_utf8_is_refused_in_one_line(
    run: str, refusal: Refusal, words: list[str], what: str
) -> None:
    told = refusal(*(run if word == "RUN" else word for word in words))
    assert told.startswith(f"{what} is not valid text (UTF-8): byte 0xff at character 1")


def test_a_sample_is_written_after_its_prompt(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sample", run, "--prompt", "ab", "--length", "5", "--temperature", "0"]) == 0
    assert capsys.readouterr().out == "ab\n\n\n\n\n\n"  # the newline is likeliest, then print's


def test_the_same_seed_writes_the_same_text_streamed_or_not(
    run: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["sample", run, "--length", "40", "--seed", "3"]
    assert main(words) == 0
    streamed = capsys.readouterr().out
    assert main([*words, "--json"]) == 0
    whole = json.loads(capsys.readouterr().out)
    assert streamed == whole["text"] + "\n"
    assert whole["seed"] == 3
    assert len(whole["text"]) == 40
    # 1e-4: forty float32 biases, each off by less than 1e-6
    assert whole["nats"] == pytest.approx(-sum(math.log(P[c]) for c in whole["text"]), abs=1e-4)


def test_json_of_several_samples_is_an_object_a_line(
    run: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sample", run, "--count", "3", "--length", "30", "--json"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    keys = {"text", "prompt", "continuation", "nats", "seed", "number"}
    assert [set(one) for one in found] == [keys] * 3
    assert len({one["text"] for one in found}) == 3


def test_seed_and_number_of_a_sample_in_json_draw_it_again(
    run: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["sample", run, "--prompt", "ab", "--length", "30", "--json"]
    assert main([*asked, "--count", "5", "--seed", "8"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for one in found:
        assert main([*asked, "--count", str(one["number"]), "--seed", str(one["seed"])]) == 0
        assert json.loads(capsys.readouterr().out.splitlines()[-1])["text"] == one["text"]
        assert one["text"] == one["prompt"] + one["continuation"]
        assert (one["prompt"], len(one["text"])) == ("ab", 32)
    assert [one["number"] for one in found] == [1, 2, 3, 4, 5]


def test_several_samples_are_told_apart(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sample", run, "--count", "2", "--length", "4", "--top-k", "1"]) == 0
    shown = capsys.readouterr().out
    # four newlines at p = 1/2: 4 ln 2 = 2.8 nats
    assert shown == "--- 1 of 2, 2.8 nats\n\n\n\n\n\n--- 2 of 2, 2.8 nats\n\n\n\n\n\n"


def test_each_stop_string_ends_the_text(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in range(5):
        words = ["--length", "200", "--seed", str(seed), "--stop", "b", "--stop", "aa"]
        assert main(["sample", run, *words, "--json"]) == 0
        text = json.loads(capsys.readouterr().out)["text"]
        assert "b" not in text
        assert "aa" not in text
        assert len(text) < 200


def test_a_prompt_may_begin_with_a_hyphen(run: str, refusal: Refusal) -> None:
    assert "'-'" in refusal("sample", run, "--prompt", "-a")  # unseen by the model, but read


def test_beam_search_finds_the_likeliest_text_and_says_that_it_repeats(
    run: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sample", run, "--beam", "2", "--length", "3", "--prompt", "a"]) == 0
    out, err = capsys.readouterr()
    assert out == "a\n\n\n\n"
    assert "repeats" in err
    assert main(["sample", "--help"]) == 0
    assert "repeats more" in " ".join(capsys.readouterr().out.replace("│", " ").split())


def test_beam_search_with_what_only_drawing_has_is_refused(run: str, refusal: Refusal) -> None:
    assert refusal("sample", run, "--beam", "2", "--top-k", "3") == (
        "--beam searches and draws nothing: leave out --top-k."
    )


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("--beam 0", "--beam 0: a search has 1 to 1,000 beams."),
        ("--beam 1001", "--beam 1001: a search has 1 to 1,000 beams."),
        (
            "--beam 2 --count 3",
            "--count 3: a search with --beam 2 finds 2, of which 1 to 2 are shown, the likeliest "
            "first.",
        ),
        (
            "--beam 2 --count 0",
            "--count 0: a search with --beam 2 finds 2, of which 1 to 2 are shown, the likeliest "
            "first.",
        ),
        ("--beam 2 --top-k 0", "--beam searches and draws nothing: leave out --top-k."),
        ("--beam 2 --seed 1", "--beam searches and draws nothing: leave out --seed."),
        ("--count 0", "count = 0: must be 1 to 10,000."),
        ("--count 10001", "count = 10001: must be 1 to 10,000."),
        ("--length -1", "length = -1: must be 0 to 10,000,000."),
    ],
)
def test_more_or_less_than_can_be_drawn_or_found_is_refused(
    run: str, refusal: Refusal, asked: str, message: str
) -> None:
    assert refusal("sample", run, *asked.split()) == message


def test_as_many_texts_as_a_beam_has_are_shown(
    run: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["sample", run, "--beam", "3", "--count", "3", "--length", "1", "--json"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["text"] for one in found] == ["\n", "a", "b"]  # 1/2, 3/8, 1/8
    assert [(one["seed"], one["number"]) for one in found] == [(None, 1), (None, 2), (None, 3)]


def test_what_a_model_writes_does_not_act_on_a_terminal_and_is_exact_on_a_pipe(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    esc = fixed_model(tmp_path / "esc", {"\x1b": 0.9, "[": 0.1})
    for words in (["--prompt", "["], ["--count", "2"], ["--beam", "1"]):
        asked = ["sample", esc, "--length", "3", "--temperature", "0", *words]
        if "--beam" in words:
            asked.remove("--temperature")
            asked.remove("0")
        assert main(asked) == 0
        assert "\x1b\x1b\x1b" in capsys.readouterr().out
        with monkeypatch.context() as terminal:
            terminal.setattr("sys.stdout.isatty", lambda: True)
            assert main(asked) == 0
        shown = capsys.readouterr().out.replace("\x1b[1m[\x1b[0m", "")  # the prompt's bold
        assert r"\x1b\x1b\x1b" in shown
        assert "\x1b" not in shown


@pytest.mark.parametrize(
    "words", [["sample", "--length", "1", "--temperature", "0"], ["score", "\x9b"]]
)
def test_json_of_a_text_does_not_act_on_a_terminal(
    words: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    run = fixed_model(tmp_path / "csi", {"\x9b": 0.9, "[": 0.1})
    verb, *rest = words
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert main([verb, run, "--json", *rest]) == 0
    out = capsys.readouterr().out
    assert "\x9b" not in out
    assert json.loads(out)["text"] == "\x9b"


def test_the_prompt_is_bold_on_a_terminal_only(
    run: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert main(["sample", run, "--prompt", "ab", "--length", "1", "--temperature", "0"]) == 0
    assert capsys.readouterr().out == "\x1b[1mab\x1b[0m\n\n"


def test_a_damaged_model_is_refused_in_one_line(run: str, refusal: Refusal) -> None:
    model = Path(run) / store.MODEL
    model.write_bytes(model.read_bytes()[:-4])
    assert str(model) in refusal("sample", run)
    assert str(model) in refusal("score", run, "a")


def test_a_hostile_config_is_refused_in_one_line(run: str, refusal: Refusal) -> None:
    config = Path(run) / store.CONFIG
    values = json.loads(config.read_text())
    values["config"]["model"]["hidden_size"] = 10**12
    config.write_text(json.dumps(values))
    assert "hidden_size = 1000000000000" in refusal("sample", run)
    values["format"] = 99
    config.write_text(json.dumps(values))
    assert "newer Recurra" in refusal("score", run, "a")


def test_sampling_and_scoring_need_no_torch(run: str) -> None:
    for argv in (["sample", run, "--length", "9", "--report"], ["score", run, "ab"]):
        program = (
            "import sys\nfrom recurra.cli import main\n"
            f"assert main({argv!r}) == 0\nassert 'torch' not in sys.modules"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
