"""The textbook as a whole: its public names, and the page that leads through it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

from recurra import textbook

PAGE = Path(__file__).parents[2] / "docs" / "textbook.md"


def test_all_is_every_public_name() -> None:
    public = {
        name
        for name, value in vars(textbook).items()
        if not name.startswith("_") and name != "annotations" and not isinstance(value, ModuleType)
    }
    assert set(textbook.__all__) == public
    assert textbook.__all__ == sorted(textbook.__all__)


def test_every_public_name_has_a_docstring() -> None:
    for name in textbook.__all__:
        assert getattr(textbook, name).__doc__, name


def test_importing_the_textbook_does_not_import_torch() -> None:
    probe = "import sys, recurra.textbook; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", probe], check=False).returncode == 0


def test_the_page_names_every_public_function() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [name for name in textbook.__all__ if f"`{name}" not in page] == []


def test_the_pages_python_blocks_run() -> None:
    page = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), {})
