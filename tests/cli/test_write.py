"""`sample` and `score`, with a model whose probabilities are known: a newline 1/2, a 3/8, b 1/8.

All its weights are zero but the projection's bias, which is ln p: every symbol is independent.
"""

from __future__ import annotations

import dataclasses
import io
import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recurra import store
from recurra.cli import main
from recurra.cli.training_text import training_text
from recurra.config import to_json
from recurra.errors import DataError
from recurra.runtime import CONTEXT, TOKENIZER, NetworkSettings, expected_shapes
from recurra.text import tokenizers
from recurra.text.files import describe

Refusal = Callable[..., str]
P = {"\n": 1 / 2, "a": 3 / 8, "b": 1 / 8}


# The first 60 symbols are what is trained on; 'ba' is in the held-out rest alone.
TEXT = "aab\n" * 15 + "aba\n"


@pytest.fixture
def run(tmp_path: Path) -> str:
    """The folder of the model."""
    data = tmp_path / "text.txt"
    data.write_text(TEXT)
    files = [dataclasses.asdict(describe(data))]
    return fixed_model(tmp_path / "run", P, given=[str(data)], files=files)


def fixed_model(folder: Path, probabilities: dict[str, float], **entries: Any) -> str:
    """The folder of a model that gives each symbol its probability, whatever came before."""
    tokenizer = tokenizers.fit("char", ["".join(probabilities)])
    settings = NetworkSettings(cell="rnn", hidden_size=2, embedding_size=0)  # one-hot
    shapes = expected_shapes(settings, tokenizer.vocab_size)
    weights = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    symbols = tokenizer.pieces(np.arange(tokenizer.vocab_size))
    logits = [math.log(probabilities[symbol]) for symbol in symbols]
    weights["projection.bias"] = np.array(logits, np.float32)
    record = store.RunRecord(
        kind="language_model",
        task="lm",
        seed=0,
        version="0.1.0",
        config={"model": to_json(settings), "data": {"encoding": None, "tokens": "char"}},
        facts={CONTEXT: symbols[0], "train_tokens": 60},
        **entries,
    )
    store.create(folder, record, {TOKENIZER: tokenizer.to_json()})
    store.save_tensors(folder / store.MODEL, weights, {})
    return str(folder)


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


def test_score_without_a_text_is_refused(run: str, refusal: Refusal) -> None:
    assert refusal("score", run) == ("score needs a TEXT, or - to read one from standard input.")


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


def test_the_prompt_is_bold_on_a_terminal_only(
    run: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert main(["sample", run, "--prompt", "ab", "--length", "1", "--temperature", "0"]) == 0
    assert capsys.readouterr().out == "\x1b[1mab\x1b[0m\n\n"


def test_the_report_is_measured_against_the_training_part(
    run: str, capsys: pytest.CaptureFixture[str]
) -> None:
    # drawn: eight newlines, of which no eight in a row were trained on; "report" comes last
    words = ["sample", run, "--length", "8", "--temperature", "0", "--report"]
    assert main([*words, "--json"]) == 0
    drawn, measured = map(json.loads, capsys.readouterr().out.splitlines())
    assert drawn["text"] == "\n" * 8
    assert measured["report"]["copied_characters_8"] == 0
    assert measured["report"]["characters"] == 8
    assert main(words) == 0
    assert "in the training text" in capsys.readouterr().out


def test_the_training_text_is_what_was_trained_on_and_no_more(run: str) -> None:
    tokenizer = tokenizers.fit("char", [TEXT])
    assert "".join(training_text(Path(run), tokenizer)) == TEXT[:60]


def test_a_training_text_that_changed_is_not_reported_on(run: str, refusal: Refusal) -> None:
    tokenizer = tokenizers.fit("char", [TEXT])
    (Path(run).parent / "text.txt").write_text("other\n")
    with pytest.raises(DataError) as caught:
        list(training_text(Path(run), tokenizer))
    assert str(caught.value) == (
        f"the text of {run} has changed since training: --report needs it as it was."
    )


def changed(run: str, **entries: Any) -> None:
    """Other entries in the run's record."""
    config = Path(run) / store.CONFIG
    config.write_text(json.dumps({**json.loads(config.read_text()), **entries}))


def recorded(run: str) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((Path(run) / store.CONFIG).read_text())
    return values


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("x", "config.data must be a table of settings, not str."),
        (None, "config.data must be a table of settings, not NoneType."),
        ({"encoding": 3}, "config.data.encoding must be str or none, not int."),
    ],
)
def test_a_report_of_a_run_with_damaged_settings_is_refused_in_one_line(
    run: str, refusal: Refusal, data: Any, message: str
) -> None:
    changed(run, config={**recorded(run)["config"], "data": data})
    assert refusal("sample", run, "--report") == f"{Path(run) / store.CONFIG}: {message}"


def test_the_training_text_is_its_files_in_their_order_held_out_ones_behind_them(run: str) -> None:
    tokenizer = tokenizers.fit("char", [TEXT])
    first, second = Path(run).parent / "text.txt", Path(run).parent / "more.txt"
    second.write_text("bbb\n")
    main, more = (dataclasses.asdict(describe(path)) for path in (first, second))
    changed(run, given=[str(first)], files=[main, more])  # the second was held out
    assert "".join(training_text(Path(run), tokenizer)) == TEXT[:60]
    for given, files in (
        ([second], [main, more]),  # the held-out text is not what was trained on
        ([second, first], [main, more]),
        ([first, first], [main, more]),
        ([first, second], [main]),
    ):
        changed(run, given=[str(path) for path in given], files=files)
        with pytest.raises(DataError, match="has changed since training"):
            training_text(Path(run), tokenizer)


def test_a_report_of_a_run_on_standard_input_says_what_to_do_before_it_draws(
    run: str, refusal: Refusal
) -> None:
    changed(run, given=["-"])
    assert refusal("sample", run, "--report") == (
        f"{run} was trained on standard input, which is not kept: --report needs the text. "
        "Leave --report out, or train on a file."
    )


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
