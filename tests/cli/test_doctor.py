"""`doctor`: the machine and the installation in words."""

from __future__ import annotations

import json
import platform
from importlib import metadata

import numpy as np
import pytest

import recurra
from recurra.cli import doctor, main


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
        "recurrence",
        "cache",
    ]
    assert found["recurra"] == recurra.__version__
    assert found["python"].startswith(platform.python_version())
    assert found["numpy"] == np.__version__
    assert f"torch {metadata.version('torch')}" in found["extras"]
    assert found["devices"][0].startswith("cpu")


def test_it_says_which_path_the_recurrence_takes_and_why(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith("recurrence"))
    told = lines[start : start + 3]
    assert "a loop of steps over torch's operations, on every device" in told[0]
    assert "this build has no native kernels" in told[2]
    assert max(map(len, told)) <= 80  # none is broken in two on a terminal


def test_a_missing_extra_says_what_it_is_for_and_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    assert doctor.examined()["extras"][2] == (
        'tokenizers is missing (--tokens bpe): pip install "recurra[bpe]"'
    )
