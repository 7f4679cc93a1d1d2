"""docs/add_a_cell.md is replayed: its cell is written to a file, its program run as it stands."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "add_a_cell.md"


@pytest.fixture
def blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def test_the_pages_cell_obeys_the_laws_and_learns_in_a_stack(
    blocks: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    cell, program = blocks
    (tmp_path / "update_gate_rnn.py").write_text(cell, encoding="utf-8")
    (tmp_path / "program.py").write_text(program, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    losses = runpy.run_path(str(tmp_path / "program.py"))["losses"]
    assert abs(losses[0] - 1.39) < 0.1  # ln 4: at first it knows nothing
    assert losses[-1] < 0.1
    assert "nats at first" in capsys.readouterr().out


def test_the_page_names_its_file_as_its_program_imports_it(blocks: list[str]) -> None:
    assert "Save this as `update_gate_rnn.py`" in PAGE.read_text(encoding="utf-8")
    assert "from update_gate_rnn import UpdateGateCell" in blocks[1]
