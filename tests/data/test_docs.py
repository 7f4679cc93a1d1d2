"""docs/data.md does what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from recurra.data.splits import FRACTIONS, MIN_HELD_OUT
from recurra.data.token_file import IN_MEMORY_BYTES
from recurra.errors import DataError
from recurra.text.files import expand
from recurra.text.reading import chunks

PAGE = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")


def test_the_python_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "input.txt").write_text("hello world\n" * 1000)
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(compile(block, "docs/data.md", "exec"), {})


def test_the_refusal_on_the_page_is_the_one_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "input.txt").write_bytes("abc naïve".encode("latin-1"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError) as caught:
        list(chunks(expand(["input.txt"]), raw=False))
    assert str(caught.value) in " ".join(PAGE.split())


def test_the_numbers_of_the_page_are_the_programs() -> None:
    assert FRACTIONS == (0.9, 0.05, 0.05)
    assert f"of under {MIN_HELD_OUT} tokens" in PAGE
    assert f"Under {IN_MEMORY_BYTES >> 20} MB" in PAGE
