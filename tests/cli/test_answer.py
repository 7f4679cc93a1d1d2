"""`evaluate` and `predict`: the task's own flags, its inputs, its answers."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recurra.cli import main
from recurra.cli.answer import choose_run

Refusal = Callable[..., str]


def test_evaluate_takes_the_flags_of_the_runs_task(
    calls: Any, toy_run: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", toy_run, "a.txt", "--split", "valid"]) == 0
    assert calls.only == ("evaluate", ("a.txt",), {"split": "valid"})
    shown = capsys.readouterr().out
    assert "the test part: 8 tokens" in shown
    assert "accuracy" in shown


def test_evaluate_json_is_one_object_with_named_figures(
    calls: Any, toy_run: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "--json", toy_run]) == 0
    assert calls.only == ("evaluate", (), {})
    assert json.loads(capsys.readouterr().out) == {
        "split": "the test part",
        "tokens": 8,
        "accuracy": 0.875,
        "notes": [],
    }


def test_help_of_evaluate_with_a_run_shows_the_tasks_flags(
    calls: Any, toy_run: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", toy_run, "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "--split STR which part [default: test]" in shown
    assert main(["evaluate", "--help"]) == 0
    assert "--split" not in capsys.readouterr().out


def test_a_flag_that_is_not_the_tasks_is_refused_with_the_help_that_has_those_that_are(
    calls: Any, toy_run: str, refusal: Refusal
) -> None:
    assert refusal("evaluate", toy_run, "--splitt", "x") == (
        "unknown flag '--splitt'. Did you mean '--split'? "
        "`recurra evaluate RUN --help` shows what it takes."
    )


def test_an_answer_does_not_act_on_a_terminal_and_is_exact_on_a_pipe(
    calls: Any, toy_run: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ["predict", toy_run, "Em\x1b[31mma", "474"]
    assert main(asked) == 0
    assert capsys.readouterr().out == "Em\x1b[31mma has 474 pages\n"
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert main(asked) == 0
    assert capsys.readouterr().out == "Em\\x1b[31mma has 474 pages\n"


def test_json_does_not_act_on_a_terminal_and_is_the_same_value(
    calls: Any, toy_run: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ["predict", toy_run, "\x1bé\x7f\x9b31mEmma", "474", "--json"]
    value = "\x1bé\x7f\x9b31mEmma has 474 pages"
    for terminal, line in (
        (False, '"\\u001bé\x7f\x9b31mEmma has 474 pages"\n'),
        (True, '"\\u001bé\\u007f\\u009b31mEmma has 474 pages"\n'),
    ):
        monkeypatch.setattr("sys.stdout.isatty", lambda terminal=terminal: terminal)
        assert main(asked) == 0
        assert (out := capsys.readouterr().out) == line
        assert json.loads(out) == value


def test_predict_reads_arguments_in_groups_of_the_inputs_fields(
    calls: Any, toy_run: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", toy_run, "Emma", "474", "Persuasion", "249", "--n-best", "2"]) == 0
    _, examples, asked = calls.only
    assert [(item.title, item.pages) for item in examples] == [("Emma", 474), ("Persuasion", 249)]
    assert asked == {"n_best": 2}
    assert capsys.readouterr().out == "Emma has 474 pages\nPersuasion has 249 pages\n"


def test_predict_reads_files_and_standard_input(
    calls: Any,
    toy_run: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "books.csv"
    path.write_text("pages,title\n474,Emma\n")
    assert main(["predict", toy_run, "--file", str(path)]) == 0
    lines = io.BytesIO(b'{"title": "Emma", "pages": 474}\n')
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(lines))
    assert main(["predict", toy_run, "-"]) == 0
    assert capsys.readouterr().out == "Emma has 474 pages\n" * 2


def test_predict_json_is_a_value_a_line(
    calls: Any, toy_run: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", toy_run, "Emma", "474", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == "Emma has 474 pages"


def test_predict_without_inputs_or_with_two_kinds_of_them_is_refused(
    calls: Any, toy_run: str, refusal: Refusal
) -> None:
    message = "predict needs INPUT arguments, - or --file F; one of the three."
    assert refusal("predict", toy_run) == message
    assert refusal("predict", toy_run, "Emma", "474", "--file", "f.csv") == message


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path, calls: Any, refusal: Refusal) -> None:
    assert refusal("evaluate", str(tmp_path)) == (
        f"{tmp_path} is not a run folder: it has no config.json."
    )


def test_the_run_is_the_first_token_or_else_the_first_folder(tmp_path: Path) -> None:
    assert choose_run(["runs/x", "--json"]) == "runs/x"
    assert choose_run(["--split", "test", str(tmp_path), "a.txt"]) == str(tmp_path)
    assert choose_run(["--help"]) is None
