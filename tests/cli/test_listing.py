"""`list`: names and what they are."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from recurra import cells, registry
from recurra.cli import main


@pytest.mark.parametrize("what", ["cells", "tasks"])
def test_every_public_name_is_listed_with_a_line(
    what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["list", what]) == 0
    listed = [line.split("  ", 1) for line in capsys.readouterr().out.splitlines()]
    assert [name for name, _ in listed] == registry.names(what)
    assert all(line.strip() for _, line in listed)


def test_json_is_the_line_of_each_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "cells", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == cells.names()
    assert found["lstm"] == "Long short-term memory."


def test_what_is_neither_is_refused(refusal: Callable[..., str]) -> None:
    assert refusal("list", "cell") == (
        "unknown list 'cell'. Have: cells, tasks. Did you mean 'cells'?"
    )
