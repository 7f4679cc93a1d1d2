"""`doctor`: the machine and the installation in words."""

from __future__ import annotations

import json
import platform
from importlib import metadata

import numpy as np
import pytest

import recurra
from recurra import kernels
from recurra.cli import doctor, main
from recurra.layers import cudnn


def test_json_has_a_key_for_each_thing_examined(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == [
        "recurra",
        "python",
        "numpy",
        "extras",
        "devices",
        "threads",
        "instruction_sets",
        "kernels",
        "recurrence",
        "cache",
    ]
    assert found["recurra"] == recurra.__version__
    assert found["python"].startswith(platform.python_version())
    assert found["numpy"] == np.__version__
    assert f"torch {metadata.version('torch')}" in found["extras"]
    assert found["devices"][0].startswith("cpu")


def line_of(name: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["doctor"]) == 0
    (line,) = (one for one in capsys.readouterr().out.splitlines() if one.startswith(name))
    return line


@pytest.mark.skipif(kernels.why_missing() is not None, reason="no native kernels")
def test_one_line_says_which_kernels_and_instructions_are_used(
    capsys: pytest.CaptureFixture[str],
) -> None:
    line = line_of("kernels", capsys)
    assert f" {kernels.instruction_sets().chosen} (of " in line
    assert "for gru, gru_reset_before, irnn, lstm, relu_rnn, rnn" in line
    assert line_of("recurrence", capsys).endswith("not a subclass of it: the native kernels")


def test_without_kernels_one_line_says_why_and_another_which_path_is_taken(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECURRA_KERNELS", "off")
    assert line_of("kernels", capsys).endswith("not used: RECURRA_KERNELS=off")
    on_cuda, otherwise, drop_ins, _ = doctor.examined()["recurrence"]
    assert on_cuda.endswith("cuDNN, through torch")
    assert otherwise == "all else: a loop of steps over torch's operations"
    assert drop_ins == "recurra.nn: torch's own"


def test_the_cells_that_go_to_cudnn_are_named() -> None:
    (line,) = (one for one in doctor.examined()["recurrence"] if one.startswith("cuda"))
    assert f"({', '.join(sorted(cudnn.MODES))})" in line


def test_a_missing_extra_says_what_it_is_for_and_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    assert doctor.examined()["extras"][3] == (
        'tokenizers is missing (--tokens bpe): pip install "recurra[bpe]"'
    )
