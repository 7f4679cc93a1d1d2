"""What training tests leave out where it is not their subject."""

from __future__ import annotations

import pytest


@pytest.fixture
def no_curve(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs without the picture of their loss: drawing takes longer than they train."""
    from recurra.training import curve

    monkeypatch.setattr(curve, "write", lambda *given: None)
