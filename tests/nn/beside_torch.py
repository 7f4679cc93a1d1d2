"""Our layers beside torch's: pairs of them, and what is the same of two."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

import recurra.nn as ours
from recurra import kernels

THEIRS: dict[str, Any] = {"RNN": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU}
# float32 sums of some ten terms, in another order than torch's; gradients add up a few hundred
OUTPUT, GRADIENT = 2e-6, 2e-5

needs_kernels = pytest.mark.skipif(
    kernels.why_missing() is not None, reason=f"no native kernels: {kernels.why_missing()}"
)


def pair(name: str, *sizes: int, **options: Any) -> tuple[nn.RNNBase, nn.RNNBase]:
    """torch's module and ours with the same weights."""
    torch.manual_seed(0)
    theirs = THEIRS[name](*sizes, **options)
    mine = getattr(ours, name)(*sizes, **options)
    mine.load_state_dict(theirs.state_dict())
    return theirs, mine


def tensors(result: Any) -> list[Tensor]:
    """All tensors of an output and state, packed ones by their data."""
    if isinstance(result, PackedSequence):
        return [result.data]
    if isinstance(result, Tensor):
        return [result]
    return [tensor for part in result for tensor in tensors(part)]


def assert_same(theirs: nn.RNNBase, mine: nn.RNNBase, run: Callable[[nn.RNNBase], Any]) -> None:
    """Results and the gradients of every parameter agree; `run` gives output and state."""
    for one, other in zip(tensors(run(theirs)), tensors(run(mine)), strict=True):
        assert one.shape == other.shape
        torch.testing.assert_close(other, one, rtol=0, atol=OUTPUT)
    for module in (theirs, mine):
        module.zero_grad()
        generator = torch.Generator().manual_seed(1)
        parts = [one for one in tensors(run(module)) if one.numel()]
        loss = sum((one * torch.randn(one.shape, generator=generator)).sum() for one in parts)
        assert isinstance(loss, Tensor)
        loss.backward()  # type: ignore[no-untyped-call]
    for (name, weight), own in zip(theirs.named_parameters(), mine.parameters(), strict=True):
        torch.testing.assert_close(own.grad, weight.grad, rtol=1e-5, atol=GRADIENT, msg=name)
