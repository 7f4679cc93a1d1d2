"""Classification from the command line, end to end."""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from recurra.cli import main

SMALL = ["--hidden-size", "12", "--steps", "20", "--learning-rate", "0.02", "--sample-every", "10"]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """A run on the built-in words."""
    folder = str(tmp_path / "run")
    assert main(["train", "classify", "--out", folder, *SMALL]) == 0
    shown = capsys.readouterr().out
    assert "held out at step 20: accuracy " in shown
    assert "the label there: " in shown
    assert f"recurra predict {folder} TEXT" in shown
    return folder


def test_predict_shows_the_labels_with_their_probabilities(
    run: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", run, "makiro", "kalmur", "--top-k", "2"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith("): makiro")
    assert second.count(",") == 0  # the likeliest, and one more in brackets
    assert main(["predict", run, "makiro", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["input"] == "makiro"
    assert answer["label"] == answer["ranked"][0]["label"]
    assert len(answer["ranked"]) == 3


def test_predict_reads_files_and_standard_input(
    run: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = tmp_path / "asked.tsv"
    table.write_text('text\tmore\n"quo\t1\nka\t2\n')
    assert main(["predict", run, "--file", str(table)]) == 0
    shown = [line.rpartition(": ")[2] for line in capsys.readouterr().out.splitlines()]
    assert shown == ['"quo', "ka"]  # in TSV a quote is a character like any other
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"one\n\ntwo\n")))
    assert main(["predict", run, "-"]) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 2
    assert err == "note: left out: 1 blank line.\n"


def test_evaluate_shows_the_table_and_json_has_all_of_it(
    run: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "here.png"
    assert main(["evaluate", run, "--split", "valid", "--picture", str(picture)]) == 0
    shown = capsys.readouterr().out
    assert "the valid part: 120 examples" in shown
    assert "rows: the truth; columns: the answer" in shown
    assert picture.exists()
    assert main(["evaluate", run, "--no-repeated", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["examples"] == 120
    assert [sum(row) for row in found["confusion"]] == [30, 30, 30, 30]
    assert set(found["classes"]) == {"Tavi", "Kalmur", "Olem", "Vanara"}


def test_a_file_of_vectors_is_answered_sequence_by_sequence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, folder = str(tmp_path / "a.npz"), str(tmp_path / "run")
    x = np.random.default_rng(0).normal(size=(20, 4, 2))
    np.savez(path, x=x, y=np.arange(20) % 2)
    assert main(["train", "classify", path, "--out", folder, *SMALL]) == 0
    shown = capsys.readouterr().out
    assert f"recurra predict {folder} FILE\n" in shown
    assert "20 steps, 320 examples in 0:0" in shown  # all 16 of the training part in each
    assert " examples/s, " in shown
    assert main(["predict", folder, path]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 20
    assert lines[7].endswith("a.npz, example 8")  # of a long path the middle is left out
    assert main(["predict", folder, "--file", path]) == 0
    assert capsys.readouterr().out.splitlines() == lines
    gap = str(tmp_path / "gap.npz")
    np.savez(gap, x=np.ones((3, 2)), lengths=[2, 0, 1])
    assert main(["predict", folder, gap]) == 2
    assert capsys.readouterr().err == (
        f"recurra: {gap}, example 2 has no step: there is nothing to read.\n"
    )


def test_the_card_of_a_run_on_vectors_shows_no_path(tmp_path: Path) -> None:
    path, folder = tmp_path / "a.npz", tmp_path / "run"
    x = np.random.default_rng(0).normal(size=(20, 4, 2))
    np.savez(path, x=x, y=np.arange(20) % 2)
    assert main(["train", "classify", str(path), "--out", str(folder), *SMALL]) == 0
    card = (folder / "README.md").read_text(encoding="utf-8")
    shown = card.partition("## A sample")[2].partition("## Use")[0]
    assert re.search(r": a\.npz, example \d+\n", shown)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"name,label\nx,y\n", "has no column 'text'. It has: name, label."),
        ("a.csv", b"text,label\nx\n", "line 2: 1 cell, and the header has 2."),
        ("a.npz", b"PK nonsense", "nothing is ever unpickled"),
        ("a-images-idx3-ubyte", b"\x00\x00\x08\x01", "is not an idx file of bytes in 3 dimensions"),
        ("a-images-idx3-ubyte", b"\x00\x00\x08\x03\x00", "ends before the sizes that it begins"),
        ("a.csv", b"text,label\n\x00\x01,y\n", "is binary, not text"),
        ("a.csv", b"text,label\nx,one\ny,one\n", "it takes two to tell apart"),
    ],
)
def test_bad_data_are_one_line_and_exit_code_2(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    content: bytes,
    message: str,
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert main(["train", "classify", str(path), "--out", str(tmp_path / "run"), *SMALL]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "run").exists()


REVIEWS = [("good one", 5), ("bad one", 1), ("great good", 5), ("awful bad", 1)] * 4


def test_predict_reads_the_columns_that_the_run_was_trained_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, run = tmp_path / "c.csv", str(tmp_path / "run")
    table.write_text("\n".join(["review,stars", *(f"{text},{star}" for text, star in REVIEWS)]))
    named = ["--text-column", "review", "--label-column", "stars"]
    assert main(["train", "classify", str(table), "--out", run, *named, *SMALL]) == 0
    capsys.readouterr()
    assert main(["predict", run, "--file", str(table), "--json"]) == 0
    found = [json.loads(line)["input"] for line in capsys.readouterr().out.splitlines()]
    assert found == [text for text, _ in REVIEWS]
    assert main(["predict", run, str(table)]) == 2
    assert f"give --file {table} to answer what is in it" in capsys.readouterr().err


def test_predict_reads_lines_of_the_form_that_the_run_was_trained_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines, run = tmp_path / "c.txt", str(tmp_path / "run")
    lines.write_text("".join(f"{star}:x {text}\n" for text, star in REVIEWS))
    form = ["--line", "{label}:{kind} {text}"]
    assert main(["train", "classify", str(lines), "--out", run, *form, *SMALL]) == 0
    capsys.readouterr()
    asked = tmp_path / "asked.txt"
    asked.write_text("5:y quite good\n\n1:y quite bad\n")
    assert main(["predict", run, "--file", str(asked), "--json"]) == 0
    out, err = capsys.readouterr()
    assert [json.loads(line)["input"] for line in out.splitlines()] == ["quite good", "quite bad"]
    assert err == "note: left out: 1 blank line.\n"
    asked.write_text("quite good\n")
    assert main(["predict", run, "--file", str(asked)]) == 2
    assert "line 1: 'quite good' is not of the form" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("asked", "flag", "tasks"),
    [
        ("evaluate RUN --windows 3", "--windows", "lm"),
        ("evaluate RUN --windows=3", "--windows=3", "lm"),
        ("evaluate RUN --int8", "--int8", "lm"),
        ("train tag --no-classes", "--no-classes", "names"),
        ("train names --tokens word", "--tokens", "classify, lm"),
    ],
)
def test_a_flag_of_another_task_is_told_as_such(
    run: str, capsys: pytest.CaptureFixture[str], asked: str, flag: str, tasks: str
) -> None:
    assert main(asked.replace("RUN", run).split()) == 2
    assert f"unknown flag {flag!r} here: it is of {tasks}. `recurra" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["sample", "score"])
def test_a_run_that_writes_nothing_says_what_it_can_be_asked(
    run: str, capsys: pytest.CaptureFixture[str], verb: str
) -> None:
    assert main([verb, run, *(["a"] if verb == "score" else [])]) == 2
    assert (
        f"ask it with recurra predict {run} or recurra evaluate {run}." in capsys.readouterr().err
    )
