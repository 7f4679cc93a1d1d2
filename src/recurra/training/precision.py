"""Half precision on CUDA by autocast, with loss scaling for float16; float32 everywhere else."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

from recurra.errors import ConfigError

SMALLEST_SCALE = 2.0**-10  # a loss scale below it means that no step fits float16


class Precision:
    """How a step computes: the autocast around the loss, and float16's loss scale."""

    def __init__(self, name: str, device: torch.device) -> None:
        if name != "float32" and device.type != "cuda":
            raise ConfigError(
                f"precision = {name!r}: only CUDA has it, and the device is {device.type}; "
                "use float32."
            )
        self._dtype = {"bfloat16": torch.bfloat16, "float16": torch.float16}.get(name)
        self.scaler = torch.amp.GradScaler("cuda") if name == "float16" else None

    def autocast(self) -> AbstractContextManager[Any]:
        """The context in which a loss is computed."""
        if self._dtype is None:
            return nullcontext()
        return torch.autocast("cuda", self._dtype)

    def backward(self, loss: Tensor) -> None:
        """Back-propagates the loss, scaled where float16 needs it."""
        if self.scaler is not None:
            loss = self.scaler.scale(loss)
        loss.backward()  # type: ignore[no-untyped-call]

    def unscale(self, optimizer: torch.optim.Optimizer) -> None:
        """Makes the gradients those of the loss itself."""
        if self.scaler is not None:
            self.scaler.unscale_(optimizer)

    def step(self, optimizer: torch.optim.Optimizer) -> None:
        """One step of the optimizer; left out where a float16 gradient overflowed."""
        if self.scaler is None:
            optimizer.step()
            return
        self.scaler.step(optimizer)
        self.scaler.update()

    @property
    def exhausted(self) -> bool:
        """Whether float16 overflowed so often that training stands still."""
        return self.scaler is not None and self.scaler.get_scale() < SMALLEST_SCALE

    def state(self) -> dict[str, Any]:
        """The loss scale as JSON values; empty without one."""
        return dict(self.scaler.state_dict()) if self.scaler is not None else {}

    def restore(self, state: dict[str, Any]) -> None:
        """Puts back what `state` gave; ValueError for anything else."""
        if self.scaler is None:
            return
        now = self.scaler.state_dict()
        if {name: type(value) for name, value in state.items()} != {
            name: type(value) for name, value in now.items()
        }:
            raise ValueError(f"not a loss scale: {state}")
        self.scaler.load_state_dict(state)
