"""What the tests of the drop-ins share."""

from __future__ import annotations

import pytest
from torch import Tensor

from recurra import fused, kernels


@pytest.fixture
def fused_calls(monkeypatch: pytest.MonkeyPatch) -> list[kernels.Kind]:
    """The kernels that were called, both directions of a layer at once."""
    calls: list[kernels.Kind] = []
    run = fused.run

    def counted(call: fused.Call, *tensors: Tensor | None) -> tuple[Tensor, ...]:
        calls.append(call.kind)
        return run(call, *tensors)

    monkeypatch.setattr(fused, "run", counted)
    return calls
