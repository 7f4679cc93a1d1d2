"""A language model's loss and all its gradients in one native call, without autograd.

What stands between the native calls of layers, projection and loss, Python, autograd's nodes and
torch's operations on a small table, is 2 to 3 of the 12 ms of a training step of two layers of 128
units and nine tenths of one of 100 units and one sequence. docs/kernels.md tells the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from recurra import kernels

ALIGNED = 16  # floats, 64 bytes


class Places(NamedTuple):
    """Which of a network's weights, in a list of them all, is what; None: there is none."""

    embedding: int | None  # (V, E); None: one-hot
    layers: tuple[tuple[int, int, int, int | None], ...]  # W_ih, W_hh, b and the cell's other
    projection: int  # (V, H), the embedding itself where they are tied
    bias: int  # (V,)


class NetworkLoss:
    """The loss of one network at windows of one size after another.

    Memory for the largest window is kept, and the gradients: those of a call are good until the
    next.
    """

    def __init__(self, kind: kernels.Kind, places: Places) -> None:
        self._kind = kind
        self._places = places
        self._room = torch.empty(0)
        self.gradients: list[Tensor] = []

    def __call__(
        self,
        weights: Sequence[Tensor],
        ids: Tensor,
        targets: Tensor,
        state: Sequence[Sequence[Tensor]] | None,
    ) -> tuple[float, list[list[Tensor]]]:
        """(the mean of −ln p(target), each layer's fields after); `gradients` has the gradients.

        weights: contiguous, float32, of the same shapes at every call; ids (T, B) and targets
        (T·B,), int64 and contiguous, targets −1 where they do not count; state: each layer's
        fields (B, H), None: zeros. NaN where no target counts. Raises IndexError for an id or
        target that is no symbol.
        """
        if not self.gradients:
            self.gradients = [torch.empty_like(one) for one in weights]
        kind, places = self._kind, self._places
        (steps, batch), (symbols, hidden) = ids.shape, weights[places.projection].shape
        width = 0 if places.embedding is None else weights[places.embedding].shape[1]
        size = kernels.NetworkSize(
            kind.code, steps, batch, symbols, width, hidden, len(places.layers)
        )
        at = [one.data_ptr() for one in weights]
        to = [one.data_ptr() for one in self.gradients]
        arrays = kernels.NetworkArrays(
            ids.data_ptr(),
            targets.data_ptr(),
            0 if places.embedding is None else at[places.embedding],
            0 if places.embedding is None else to[places.embedding],
            at[places.projection],
            at[places.bias],
            to[places.projection],
            to[places.bias],
            self._room_for(size, tied=places.embedding == places.projection),
        )
        before = [[one.contiguous() for one in fields] for fields in state or ()]
        after = []
        layers: list[int] = []
        for depth, own in enumerate(places.layers):
            final = [torch.empty(batch, hidden) for _ in range(kind.fields)]
            after.append(final)
            layers += [0 if place is None else at[place] for place in own]
            layers += [0 if place is None else to[place] for place in own]
            for fields in (before[depth] if state else [], final):
                layers += [*(one.data_ptr() for one in fields), 0, 0][:2]
        threads = torch.get_num_threads()
        return kernels.run_network_loss(size, arrays, tuple(layers), threads), after

    def _room_for(self, size: kernels.NetworkSize, *, tied: bool) -> int:
        """The address of as much memory as a call needs."""
        needed = kernels.network_room(size, tied=tied) + ALIGNED
        if self._room.numel() < needed:
            self._room = torch.empty(needed)
        return -(-self._room.data_ptr() // 64) * 64
