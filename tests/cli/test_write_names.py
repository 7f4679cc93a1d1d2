"""`sample` and `score` of a run on names: a name a line, its end counted, new names counted."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import recurra
from recurra.cli import main
from recurra.training.watch import Quiet

Refusal = Callable[..., str]
NAMES = [f"{a}{b}" for a in "abcde" for b in "lmnop"]


def trained(folder: Path, files: list[str], *, classes: bool = False) -> str:
    run = recurra.train(
        "names",
        *files,
        out=folder,
        hidden_size=8,
        steps=3,
        sample_every=0,
        classes=classes,
        watcher=Quiet(),
    )
    return str(run.folder)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A run on names of two letters."""
    folder = tmp_path_factory.mktemp("names")
    (folder / "names.txt").write_text("\n".join(NAMES))
    return trained(folder / "run", [str(folder / "names.txt")])


@pytest.fixture(scope="module")
def classed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A run on two classes of names, a file each."""
    folder = tmp_path_factory.mktemp("classed")
    (folder / "Dutch.txt").write_text("\n".join(NAMES))
    (folder / "Scottish.txt").write_text("\n".join(reversed(NAMES)))
    return trained(folder / "run", [str(folder / f"{one}.txt") for one in ("Dutch", "Scottish")],
                   classes=True)  # fmt: skip


def test_many_names_are_a_line_each(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sample", run, "--count", "7", "--seed", "1"]) == 0
    lines = capsys.readouterr().out.split("\n")
    assert len(lines) == 8
    assert str(recurra.load(run).sample(count=7, seed=1)).split("\n") == lines[:7]
    assert main(["sample", run, "--seed", "1"]) == 0
    assert capsys.readouterr().out == f"{lines[0]}\n"


def test_the_report_counts_the_names_that_are_new(
    run: str, capsys: pytest.CaptureFixture[str]
) -> None:
    # after a prompt that is a training name nothing is drawn: it is copied, and repeated
    assert main(["sample", run, "--prompt", "al", "--length", "0", "--count", "3", "--report"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:4] == ["al", "al", "al", "---"]
    assert lines[4] in (
        "3 names: 0 new, 3 in the training part, 2 sampled before",
        "3 names: 3 new, 0 in the training part, 2 sampled before",  # were it held out
    )
    assert main(["sample", run, "--count", "40", "--report", "--json"]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])["report"]
    assert found["names"] == 40 == found["new"] + found["in_training"]


def test_the_report_needs_no_torch(run: str) -> None:
    code = (
        "import sys; from recurra.cli import main; "
        f"assert main(['sample', {run!r}, '--count', '3', '--report']) == 0; "
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_a_name_from_standard_input_is_scored_without_the_line_end_behind_it(
    run: str, end: bytes, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"al" + end)))
    assert main(["score", run, "-", "al"]) == 0
    _, first, second, _ = capsys.readouterr().out.splitlines()
    assert first == second


def test_a_score_says_that_the_end_is_counted(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", run, "al", "bm"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "over 3 tokens" in lines[1]
    assert lines[-1] == "(each starts after '\\n', itself not counted; its end '\\n' is counted)"


def test_a_class_is_asked_for_by_its_label(
    classed: str, capsys: pytest.CaptureFixture[str], refusal: Refusal
) -> None:
    assert main(["sample", classed, "--label", "Scottish", "--count", "2", "--report"]) == 0
    assert "2 names: " in capsys.readouterr().out
    assert main(["score", classed, "al", "--label", "Dutch"]) == 0
    assert "each starts after '<Dutch>'" in capsys.readouterr().out
    assert refusal("sample", classed) == (
        "this run has classes: give --label, one of Dutch, Scottish."
    )
    assert refusal("sample", classed, "--label", "Scotish") == (
        "unknown label 'Scotish'. Have: Dutch, Scottish. Did you mean 'Scottish'?"
    )


def test_a_run_without_classes_has_no_label_and_names_have_no_context(
    run: str, refusal: Refusal
) -> None:
    assert refusal("sample", run, "--label", "x") == "label = 'x': this run has no classes."
    assert refusal("sample", run, "--context", "x") == (
        "context = 'x': each sequence of this run starts by itself."
    )


def test_training_ends_with_the_commands_for_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("Dutch.txt").write_text("\n".join(NAMES))
    Path("Scottish.txt").write_text("\n".join(NAMES))
    asked = ["train", "names", "Dutch.txt", "Scottish.txt", "--classes", "--steps", "2"]
    assert main([*asked, "--out", "run", "--hidden-size", "8", "--evaluate"]) == 0
    out = capsys.readouterr().out
    assert "  recurra sample run --count 20 --report --label Dutch\n" in out
    assert "nats_per_token_with_stop" in out
    card = Path("run/README.md").read_text()
    assert "recurra sample . --count 20 --report --label Dutch" in card


def test_no_report_is_advised_of_names_that_were_piped_in(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("\n".join(NAMES).encode())))
    assert main(["train", "names", "-", "--steps", "2", "--out", "run", "--hidden-size", "8"]) == 0
    assert "  recurra sample run --count 20\n" in capsys.readouterr().out
    assert "recurra sample . --count 20\n" in Path("run/README.md").read_text()


def test_a_list_that_was_changed_or_piped_in_has_no_report(
    tmp_path: Path, refusal: Refusal
) -> None:
    names = tmp_path / "names.txt"
    names.write_text("\n".join(NAMES))
    run = trained(tmp_path / "run", [str(names)])
    names.write_text("al\n")
    assert "has changed since training" in refusal("sample", run, "--report")


def test_the_help_of_the_task_shows_where_its_defaults_come_from(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["train", "names", "--help"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    for flag in ("--classes", "--label-column", "--max-length", "--split-seed", "--shown"):
        assert flag in out
