"""Dropout from an explicit generator, plain and locked.

`torch.nn.Dropout` draws from torch's global generator; here the caller brings one, so that a step's
masks depend on (seed, step) alone. Nothing here decides where dropout stands in a model.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recurra.config import require
from recurra.errors import ConfigError


class Dropout(nn.Module):
    """In training each unit is zero with `probability`, else divided by 1 − probability; else x.

    `locked`: one mask for all steps of a sequence (variational dropout, gal2016). Returns x itself
    in `eval` and at probability 0. srivastava2014.

    Raises ConfigError for a probability outside [0, 1), and for training without a generator.
    """

    def __init__(self, probability: float, *, locked: bool = False) -> None:
        super().__init__()
        require(0 <= probability < 1, "dropout", probability, "must be a probability in [0, 1)")
        self.probability = probability
        self.locked = locked

    def forward(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        """x (T, B, …) with its mask applied; `generator` lives on x's device."""
        if not self.training or self.probability == 0:
            return x
        if generator is None:
            raise ConfigError(
                f"dropout = {self.probability} needs a torch.Generator while training: "
                "pass generator=…, or call .eval() first."
            )
        keep = 1 - self.probability
        shape = (1, *x.shape[1:]) if self.locked else x.shape
        mask = torch.empty(shape, dtype=x.dtype, device=x.device)
        return x * mask.bernoulli_(keep, generator=generator).div_(keep)
