"""The command line as a whole: help, versions, refusals, exit codes, what is imported."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import recurra
from recurra import registry
from recurra.cli import app, main
from recurra.cli.examples import EXAMPLES
from recurra.errors import RunError

Refusal = Callable[..., str]
VERBS = ("train", "resume", "evaluate", "sample", "score", "predict", "bench", "list", "doctor")


def run_recurra(*argv: str, **more: Any) -> subprocess.CompletedProcess[str]:
    """A process of its own that runs a command line."""
    command = [sys.executable, "-m", "recurra", *argv]
    return subprocess.run(command, capture_output=True, text=True, check=False, **more)


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_every_verb_has_examples_of_it(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([verb, "--help"]) == 0
    shown = capsys.readouterr().out
    assert f"Usage: recurra {verb}" in shown
    assert "Examples:" in shown
    assert f"\n  recurra {verb}" in shown


@pytest.mark.parametrize("verb", ["train", "resume", "evaluate", "sample", "score", "predict"])
def test_the_usage_line_of_a_verb_names_every_argument_below_it(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([verb, "--help"]) == 0
    usage, _, arguments = capsys.readouterr().out.partition("─ Arguments ")
    names = re.findall(r"^│ [* ]? *([A-Z]+) ", arguments.partition("╰")[0], flags=re.MULTILINE)
    assert names
    assert set(names) <= set(usage.splitlines()[0].replace("[", "").split())


def test_the_verbs_are_those_of_the_help_and_in_its_order(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    places = [shown.index(f"│ {verb} ") for verb in VERBS]
    assert places == sorted(places)
    assert tuple(app.VERBS) == VERBS
    assert {*VERBS, "recurra", "train TASK"} == set(EXAMPLES)


@pytest.mark.parametrize("task", registry.names("tasks"))
def test_the_help_of_every_task_has_examples_that_its_flags_allow(
    task: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", task, "--help"]) == 0
    shown = capsys.readouterr().out
    settings, _, examples = shown.partition("Examples:")
    assert examples.count(f"recurra train {task} ") >= 4
    asked = set(re.findall(r"--[a-z-]+", examples))
    assert asked <= set(re.findall(r"--[a-z-]+", settings))


def test_no_example_is_wider_than_a_terminal() -> None:
    lines = [line for lines in EXAMPLES.values() for line in lines]
    lines += [line for name in registry.names("tasks") for line in registry.examples("tasks", name)]
    assert [line for line in lines if len(line) > 78] == []


def test_without_arguments_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    alone = capsys.readouterr().out
    assert main(["--help"]) == 0
    assert alone == capsys.readouterr().out
    assert "Usage: recurra COMMAND" in alone


def test_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"{recurra.__version__}\n"


def test_an_unknown_verb_is_refused_with_the_nearest(refusal: Refusal) -> None:
    assert refusal("trian", "x") == (
        "unknown command 'trian'. Have: train, resume, evaluate, sample, score, predict, bench, "
        "list, doctor. Did you mean 'train'?"
    )


def test_an_unknown_flag_is_refused_with_the_nearest(refusal: Refusal) -> None:
    assert refusal("sample", "runs/x", "--temprature", "1") == (
        "unknown flag '--temprature'. Did you mean '--temperature'? "
        "`recurra sample --help` shows what it takes."
    )


def test_a_missing_argument_is_named(refusal: Refusal) -> None:
    assert refusal("resume") == (
        "recurra resume needs RUN. `recurra resume --help` shows what it takes."
    )


def test_a_flag_without_its_value_is_refused(refusal: Refusal) -> None:
    assert refusal("sample", "runs/x", "--length") == (
        "--length needs a value. `recurra sample --help` shows what it takes."
    )


def test_one_argument_too_many_is_refused(refusal: Refusal) -> None:
    assert refusal("list", "cells", "b") == (
        "recurra list has no use for 'b'. `recurra list --help` shows what it takes."
    )


def test_a_flag_given_twice_is_refused(refusal: Refusal) -> None:
    assert refusal("sample", "runs/x", "--seed", "1", "--seed", "2") == (
        "--seed was given twice. `recurra sample --help` shows what it takes."
    )


def test_a_value_of_another_kind_is_refused(refusal: Refusal) -> None:
    assert refusal("sample", "runs/x", "--length", "many") == (
        "--length 'many': must be a whole number."
    )


@pytest.mark.parametrize("verb", ["resume", "evaluate", "sample", "score", "predict"])
def test_a_run_that_is_not_there_is_refused_in_one_line(
    verb: str, refusal: Refusal, tmp_path: Path
) -> None:
    missing = tmp_path / "nothing"
    words = ["some text"] if verb in ("score", "predict") else []
    assert refusal(verb, str(missing), *words) == f"{missing} does not exist."


def test_a_message_of_several_lines_is_printed_on_one(
    refusal: Refusal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(argv: list[str]) -> int:
        raise RunError("first\n  second")

    monkeypatch.setattr(app, "run", fail)
    assert refusal("doctor") == "first second"


def test_missing_torch_says_what_to_install(
    refusal: Refusal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(argv: list[str]) -> int:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr(app, "run", fail)
    assert refusal("train") == (
        'this needs torch, which is not installed: pip install "recurra[torch]"'
    )


def test_another_missing_module_is_a_bug_and_is_not_hidden(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(argv: list[str]) -> int:
        raise ModuleNotFoundError("No module named 'nowhere'", name="nowhere")

    monkeypatch.setattr(app, "run", fail)
    with pytest.raises(ModuleNotFoundError, match="nowhere"):
        main(["doctor"])


def test_ctrl_c_exits_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(argv: list[str]) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(app, "run", interrupt)
    assert main(["doctor"]) == 130


def test_ctrl_c_while_the_program_loads_exits_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted:
        def find_spec(self, name: str, path: object, target: object = None) -> None:
            if name == "recurra.cli.app":
                raise KeyboardInterrupt

    monkeypatch.delitem(sys.modules, "recurra.cli.app")
    monkeypatch.delattr("recurra.cli.app")
    monkeypatch.setattr("sys.meta_path", [Interrupted(), *sys.meta_path])
    assert main(["doctor"]) == 130


def test_a_file_error_that_is_a_bug_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(argv: list[str]) -> int:
        raise FileNotFoundError(2, "No such file or directory", "nowhere.txt")

    monkeypatch.setattr(app, "run", fail)
    with pytest.raises(FileNotFoundError, match=r"nowhere\.txt"):
        main(["doctor"])


@pytest.mark.parametrize("columns", ["80", "120"])
def test_the_commands_are_a_line_each(
    columns: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out.splitlines()
    panel = [line for line in shown if line.startswith("│")]
    assert [line.split()[1] for line in panel] == [*VERBS, "--help", "--version"]


def test_a_verbs_own_flags_come_before_its_tasks(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["train", "lm", "--help"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("Usage: recurra train lm [DATA …] [flags]\n")
    order = [shown.index(f"╭─ {panel} ─") for panel in ("Arguments", "Flags", "Model", "Training")]
    assert order == sorted(order)


@pytest.mark.parametrize(
    "argv",
    [
        ["--help"],
        ["train", "--help"],
        ["sample", "--help"],
        ["list", "tasks"],
        ["list", "cells"],
        ["sample", "nowhere"],
        ["score", "nowhere", "text"],
    ],
)
def test_torch_is_not_imported(argv: list[str]) -> None:
    program = (
        "import sys\nfrom recurra.cli import main\n"
        f"main({argv!r})\nassert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_help_does_not_import_numpy_either() -> None:
    program = (
        "import sys\nfrom recurra.cli import main\n"
        "main(['--help'])\nassert 'numpy' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_module_runs_as_a_program() -> None:
    done = run_recurra("--version")
    assert (done.returncode, done.stdout) == (0, f"{recurra.__version__}\n")
    refused = run_recurra("lists")
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
