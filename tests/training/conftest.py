"""Makes the test-only task importable, here and in the processes that tests start."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))


@pytest.fixture
def no_curve(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs without the picture of their loss: drawing takes longer than they train."""
    from recurra.training import curve

    monkeypatch.setattr(curve, "write", lambda *given: None)
