"""The file that language models are trained on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tasks.verse import VERSE


@pytest.fixture
def verse(tmp_path: Path) -> Path:
    path = tmp_path / "verse.txt"
    path.write_text(VERSE * 40)
    return path
