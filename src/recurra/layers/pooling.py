"""From the outputs of a recurrent stack to one vector a sequence: last, mean, max or attention.

Padded steps never count: a padded batch gives each sequence what it has alone.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from recurra import cells
from recurra.errors import ConfigError, unknown
from recurra.shapes import check_shape

KINDS = ("last", "mean", "max", "attention")


class Pooling(nn.Module):
    """outputs (T, B, D·H), lengths (B,) to (B, D·H), for one of KINDS.

    last: the output after the last real step, of the reverse direction after its own last, which
    is step 0. mean, max: over the real steps. attention: the mean weighted by a softmax over the
    real steps of v · tanh(W h + b) (yang2016), whose W and v start as a cell's weights do.

    Raises ConfigError for another kind.
    """

    def __init__(self, kind: str, size: int, directions: int, rng: np.random.Generator) -> None:
        super().__init__()
        if kind not in KINDS:
            raise ConfigError(unknown("pooling", kind, KINDS))
        self.kind = kind
        self.size = size  # D·H
        self.directions = directions
        for name, shape in shapes(kind, size).items():
            drawn = cells.uniform(rng, shape) if name != "bias" else np.zeros(shape)
            self.register_parameter(name, nn.Parameter(torch.from_numpy(drawn.astype(np.float32))))

    def forward(self, outputs: Tensor, lengths: Tensor) -> Tensor:
        """One vector a sequence; every length is 1 or more."""
        check_shape("outputs", outputs, ("T", "B", self.size))
        check_shape("lengths", lengths, (outputs.shape[1],))
        if self.kind == "last":
            return self._last(outputs, lengths)
        if self.kind == "mean":
            # past a sequence's length the outputs of a stack are zero
            return outputs.sum(0) / lengths[:, None].to(outputs.dtype)
        steps = torch.arange(len(outputs), device=outputs.device)
        padded = (steps[:, None] >= lengths)[..., None]  # (T, B, 1)
        if self.kind == "max":
            return outputs.masked_fill(padded, -torch.inf).amax(0)
        weight, bias, query = (self.get_parameter(name) for name in ("weight", "bias", "query"))
        scores = torch.tanh(outputs @ weight.T + bias) @ query  # (T, B)
        shares = scores.masked_fill(padded[..., 0], -torch.inf).softmax(0)
        return torch.einsum("tb,tbh->bh", shares, outputs)

    def _last(self, outputs: Tensor, lengths: Tensor) -> Tensor:
        rows = torch.arange(outputs.shape[1], device=outputs.device)
        parts = outputs.chunk(self.directions, dim=-1)  # each (T, B, H)
        return torch.cat([parts[0][lengths - 1, rows], *(part[0] for part in parts[1:])], dim=-1)


def shapes(kind: str, size: int) -> dict[str, tuple[int, ...]]:
    """The weights of a pooling over outputs of `size` units, by name."""
    if kind != "attention":
        return {}
    return {"weight": (size, size), "bias": (size,), "query": (size,)}
