"""`train` and `resume`: what reaches the API, what is said afterwards, how recipes name a task."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recurra import api
from recurra.cli import main
from recurra.cli.train import choose_task
from recurra.errors import ConfigError
from recurra.results import Evaluation

Refusal = Callable[..., str]


def asked(calls: Any) -> dict[str, Any]:
    """The settings that reached the API, without the verb's own flags."""
    keywords: dict[str, Any] = calls.only[2]
    own = ("out", "config", "start_from", "device", "seed", "command")
    return {name: value for name, value in keywords.items() if name not in own}


def test_only_the_flags_that_were_given_reach_the_api(calls: Any) -> None:
    assert main(["train", "toy", "a.txt", "--hidden-size", "64", "b.txt"]) == 0
    name, arguments, keywords = calls.only
    assert (name, arguments) == ("train", ("toy", "a.txt", "b.txt"))
    assert asked(calls) == {"hidden_size": 64}
    assert keywords["command"] == "recurra train toy a.txt --hidden-size 64 b.txt"
    assert (keywords["out"], keywords["device"], keywords["seed"]) == (None, "auto", None)


@pytest.mark.parametrize(
    ("words", "settings"),
    [
        (["--tied"], {"tied": True}),
        (["--no-tied"], {"tied": False}),
        (["--clip-norm", "none"], {"clip_norm": None}),
        (["--clip-norm", "0.5"], {"clip_norm": 0.5}),
        (["--minutes=1.5"], {"minutes": 1.5}),
        (["--steps", "5"], {"steps": 5}),
        (["--label", "none"], {"label": None}),
        (["--label", "one"], {"label": "one"}),
        (["--cell", "gru"], {"cell": "gru"}),
    ],
)
def test_a_flag_is_read_as_its_setting_is_typed(
    calls: Any, words: list[str], settings: dict[str, Any]
) -> None:
    assert main(["train", "toy", *words]) == 0
    assert asked(calls) == settings


def test_the_verbs_own_flags_reach_the_api(calls: Any) -> None:
    words = "--out o --config c.toml --from old --device cpu --seed 3"
    assert main(["train", "toy", "-", *words.split()]) == 0
    _, arguments, keywords = calls.only
    del keywords["command"]
    assert arguments == ("toy", "-")
    assert keywords == {
        "out": "o",
        "config": "c.toml",
        "start_from": "old",
        "device": "cpu",
        "seed": 3,
    }


def test_help_shows_every_setting_with_its_default_and_its_provenance(
    calls: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "toy", "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "Usage: recurra train toy" in shown
    assert "─ Model ─" in shown
    assert "─ Training ─" in shown
    assert "--hidden-size INT units a layer [default: 256; measured on toys]" in shown
    assert "--tied --no-tied whether tied [default: no; a guess]" in shown
    assert "recurra train toy FILE --from runs/mine" in shown
    assert shown.index("─ Model ─") < shown.index("─ Training ─")
    assert list(calls) == []


def test_help_of_train_lists_the_tasks(calls: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "toy  A toy." in shown
    assert "--config" in shown


def test_an_unknown_task_is_refused(calls: Any, refusal: Refusal) -> None:
    assert refusal("train", "toi") == "unknown task 'toi'. Have: toy. Did you mean 'toy'?"


def test_an_unknown_setting_is_refused(calls: Any, refusal: Refusal) -> None:
    assert refusal("train", "toy", "--hiden-size", "3") == (
        "unknown flag '--hiden-size'. Did you mean '--hidden-size'? "
        "`recurra train toy --help` shows what it takes."
    )
    assert list(calls) == []


def test_a_setting_of_another_kind_is_refused(calls: Any, refusal: Refusal) -> None:
    assert refusal("train", "toy", "--steps", "some") == (
        "--steps 'some': must be a whole number or none."
    )
    assert refusal("train", "toy", "--hidden-size", "none") == (
        "--hidden-size 'none': must be a whole number."
    )
    assert refusal("train", "toy", "--tied=maybe") == (
        "--tied 'maybe': must be true or false. `recurra train toy --help` shows what it takes."
    )


def test_a_recipe_names_the_task(calls: Any, tmp_path: Path) -> None:
    recipe = tmp_path / "r.toml"
    recipe.write_text('task = "toy"\n')
    assert main(["train", "--config", str(recipe), "--hidden-size", "8"]) == 0
    assert calls.only[1] == ("toy",)
    assert asked(calls) == {"hidden_size": 8}


def test_a_recipes_data_is_replaced_by_the_files_named(calls: Any, tmp_path: Path) -> None:
    recipe = tmp_path / "r.toml"
    recipe.write_text('task = "toy"\n')
    assert main(["train", "other.txt", f"--config={recipe}"]) == 0
    assert calls.only[1] == ("toy", "other.txt")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed = 1\n", "names no task: add one of toy"),
        ("task = 3\n", "task must be text, not 3"),
        ("not TOML", "is not a TOML file"),
        ('task = "tyo"\n', "unknown task 'tyo'. Have: toy. Did you mean 'toy'?"),
    ],
)
def test_a_recipe_that_names_no_task_is_refused_before_its_flags_are_read(
    calls: Any, refusal: Refusal, tmp_path: Path, text: str, message: str
) -> None:
    recipe = tmp_path / "r.toml"
    recipe.write_text(text)
    assert message in refusal("train", "--config", str(recipe), "--steps", "1")


def test_without_a_task_or_a_recipe_there_is_no_task(calls: Any) -> None:
    assert choose_task([]) == (None, [])


def test_a_task_may_stand_behind_flags(calls: Any) -> None:
    assert choose_task(["--seed", "1", "toy", "a.txt"]) == ("toy", ["--seed", "1", "a.txt"])


def test_a_file_in_the_tasks_place_is_no_task(calls: Any) -> None:
    with pytest.raises(ConfigError, match=r"^unknown task 'input\.txt'\. Have: toy\.$"):
        choose_task(["input.txt"])


def test_afterwards_it_says_the_best_figures_and_what_to_do_next(
    calls: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "toy"]) == 0
    shown = capsys.readouterr().out
    # 2 nats are 2 / ln 2 = 2.8854 bits and a perplexity of e² = 7.39
    best = "nats_per_token_stateful 2.0000 nats (2.8854 bits, perplexity 7.39)"
    assert f"best on the held-out part, at step 1,200: {best}\n" in shown
    assert "1,500 steps, 96,000 pages in 12:34 (budget spent)\n" in shown
    assert "the run is in runs/toy run\n" in shown
    assert "  recurra predict 'runs/toy run' TITLE PAGES\n" in shown
    assert "  recurra evaluate 'runs/toy run'\n" in shown
    # 12 minutes 34 seconds are far more than the 3 minutes of a run without a budget
    assert "  recurra resume 'runs/toy run' --minutes 26" in shown


@pytest.mark.parametrize(
    ("argv", "again"),
    [
        (["train", "toy", "--steps", "1500"], "--steps 3000 "),
        (["train", "toy", "--minutes", "12.5"], "--minutes 25 "),
        (["resume", "runs/x", "--steps", "2000000"], "--steps 4000000 "),
        (["resume", "runs/x", "--epochs", "2.5"], "--epochs 5 "),
        (["resume", "runs/x", "--steps", "100"], "--steps 3000 "),  # 1,500 were made before
    ],
)
def test_the_budget_suggested_next_is_twice_that_of_the_run_in_its_own_unit(
    calls: Any, capsys: pytest.CaptureFixture[str], argv: list[str], again: str
) -> None:
    assert main(argv) == 0
    assert f"  recurra resume 'runs/toy run' {again}" in capsys.readouterr().out


def test_the_figures_told_at_the_end_do_not_act_on_a_terminal(
    calls: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    train = api.train

    def evaluated(*arguments: Any, **keywords: Any) -> Any:
        run = train(*arguments, **keywords)
        assert run.outcome is not None
        exact = Evaluation({"f1_of_\x9b31m": 0.5}, "the test part", 8)
        run.outcome = dataclasses.replace(run.outcome, evaluation=exact)
        return run

    monkeypatch.setattr(api, "train", evaluated)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("TERM", "dumb")
    assert main(["train", "toy"]) == 0
    assert "  f1_of_\\x9b31m" in (shown := capsys.readouterr().out)
    assert "\x9b" not in shown


def test_an_interrupted_run_says_how_to_go_on_and_exits_with_130(
    calls: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "toy", "--seed", "130"]) == 130
    shown = capsys.readouterr().out
    assert shown.endswith(
        "stopped and saved in runs/toy run; to go on:\n  recurra resume 'runs/toy run'\n"
    )


def test_resume_passes_a_new_budget_and_new_places_on(
    calls: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["resume", "runs/x", "a.txt", "--steps", "20000", "--valid-file", "v"]) == 0
    asked = {"steps": 20000, "epochs": None, "minutes": None, "device": "auto"}
    places = {"valid_file": "v", "test_file": None}
    assert calls.only == ("resume", ("runs/x", "a.txt"), asked | places)
    assert "(stopped early: no longer getting better)" in capsys.readouterr().out


def test_a_bar_is_shown_on_a_terminal_and_lines_on_a_pipe(
    calls: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["train", "toy"]) == 0
    piped = capsys.readouterr().out
    assert "step 1,200, epoch 1.50, 25% done, 12:34 left: loss 2.0000 nats" in piped
    assert "note: the text is short\n" in piped
    assert "━" not in piped
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert main(["train", "toy"]) == 0
    assert "━" in capsys.readouterr().out


def test_a_terminal_that_cannot_move_its_cursor_gets_lines(
    calls: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert main(["train", "toy"]) == 0
    shown = capsys.readouterr().out
    assert "step 1,200, epoch 1.50, 25% done, 12:34 left: loss 2.0000 nats" in shown
    assert "\x1b" not in shown
