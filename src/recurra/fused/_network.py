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


class NetworkWeights(NamedTuple):
    """The weights of a network, or in the same places their gradients; contiguous, float32."""

    embedding: Tensor | None  # (V, E); None: one-hot
    layers: Sequence[tuple[Tensor, Tensor, Tensor, Tensor | None]]  # W_ih, W_hh, b and the other
    projection: Tensor  # (V, H), the embedding itself where they are tied
    bias: Tensor  # (V,)


class NetworkLoss:
    """The loss of networks of one size after another; memory for the largest is kept."""

    def __init__(self) -> None:
        self._room = torch.empty(0)

    def __call__(
        self,
        kind: kernels.Kind,
        weights: NetworkWeights,
        gradients: NetworkWeights,
        ids: Tensor,
        targets: Tensor,
        state: Sequence[Sequence[Tensor]] | None,
    ) -> tuple[float, list[list[Tensor]]]:
        """(the mean of −ln p(target), each layer's fields after); fills `gradients`.

        ids (T, B) and targets (T·B,), int64 and contiguous, targets −1 where they do not count;
        state: each layer's fields (B, H), None: zeros. NaN where no target counts. Raises
        IndexError for an id or target that is no symbol.
        """
        (steps, batch), (symbols, hidden) = ids.shape, weights.projection.shape
        embedding, d_embedding = weights.embedding, gradients.embedding
        size = kernels.NetworkSize(
            kind.code,
            steps,
            batch,
            symbols,
            0 if embedding is None else embedding.shape[1],
            hidden,
            len(weights.layers),
        )
        room = self._room_for(size, tied=embedding is weights.projection)
        arrays = kernels.NetworkArrays(
            ids.data_ptr(),
            targets.data_ptr(),
            0 if embedding is None else embedding.data_ptr(),
            0 if d_embedding is None else d_embedding.data_ptr(),
            weights.projection.data_ptr(),
            weights.bias.data_ptr(),
            gradients.projection.data_ptr(),
            gradients.bias.data_ptr(),
            room,
        )
        before = [[one.contiguous() for one in fields] for fields in state or ()]
        after = []
        layers: list[int] = []
        for depth, (own, d_own) in enumerate(zip(weights.layers, gradients.layers, strict=True)):
            final = [torch.empty(batch, hidden) for _ in range(kind.fields)]
            after.append(final)
            layers += [0 if one is None else one.data_ptr() for one in (*own, *d_own)]
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
