"""`bench`: rows with the ratio first, a record that is JSON, one line for what cannot be."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from recurra.bench import layers, record, verdict
from recurra.bench.comparison import Case, Comparison
from recurra.cli import main

Refusal = Callable[..., str]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """`layers` with one case that takes no time."""

    def comparison() -> Comparison:
        theirs = {name: lambda: None for name in (layers.THEIRS, layers.AGAIN)}
        return Comparison(lambda: None, theirs, "output: 0 apart", "pass", flop=1e6)

    monkeypatch.setattr(layers, "cases", lambda *_: [Case("train it", comparison)])
    monkeypatch.setattr(record, "GEMM_SECONDS", 0.001)


@pytest.mark.usefixtures("quick")
def test_a_row_begins_with_the_ratio_and_progress_goes_to_stderr(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["bench", "layers", "--seconds", "0.001"]) == 0
    out, err = capsys.readouterr()
    where, how, first, second, same = out.splitlines()
    assert where.startswith("float32, ")
    assert "kernels " in where
    assert "GFLOP/s" in where
    assert "quartiles" in how
    assert first.partition("x as fast")[0].replace(".", "").isdigit()
    assert "train it: " in first
    assert "% of GEMM" in first
    assert second.partition("x as fast")[0].replace(".", "").isdigit()
    assert same.strip().endswith("rounds; output: 0 apart")
    assert err == "1 of 1: train it …\n"


@pytest.mark.usefixtures("quick")
def test_json_is_one_object_and_the_record_is_the_same_one(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "layers.json"
    asked = ["bench", "layers", "--seconds", "0.001", "--json", "--record", str(path)]
    assert main(asked) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == json.loads(path.read_text(encoding="utf-8"))
    assert found["rows"][0]["name"] == "train it"


@pytest.mark.usefixtures("quick")
def test_random_shapes_end_with_what_they_say_together(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ["bench", "layers", "--seconds", "0.001", "--random", "1"]
    monkeypatch.setattr(verdict, "BAR", 1e9)
    assert main(asked) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2].startswith("lowest ")
    assert lines[-2].endswith("1 below it:")
    assert lines[-1].endswith("x  train it")


def test_an_unknown_bench_is_refused_with_those_there_are(refusal: Refusal) -> None:
    assert refusal("bench", "layer") == (
        "unknown bench 'layer'. Have: layers, training, sampling, textbook. Did you mean 'layers'?"
    )


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--seconds", "0"], "seconds = 0.0: must be above 0 and at most 3600."),
        (["--seconds", "soon"], "--seconds 'soon': must be a number."),
        (["--threads", "0"], "threads = 0: must be 1 to 1024."),
        (["--seed", "1"], "seed = 1: is of random shapes alone."),
    ],
)
def test_flags_that_cannot_be_are_refused(flags: list[str], message: str, refusal: Refusal) -> None:
    assert refusal("bench", "layers", *flags) == message


def test_a_record_is_never_overwritten_and_needs_a_folder(refusal: Refusal, tmp_path: Path) -> None:
    path = tmp_path / "there.json"
    path.touch()
    assert refusal("bench", "layers", "--record", str(path)) == (
        f"--record {path} exists already: name a new file, or remove it."
    )
    path = tmp_path / "no" / "it.json"
    assert refusal("bench", "layers", "--record", str(path)) == (
        f"--record {path}: there is no folder {path.parent}."
    )
