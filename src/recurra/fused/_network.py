"""A language model's loss and all its gradients in one native call, without autograd.

What stands between the native calls of layers, projection and loss, Python, autograd's nodes and
torch's operations on a small table, was 2 to 3 of the 12 ms of a training step of two layers of
128 units, and most of one of 100 units and one sequence. docs/kernels.md tells the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import local
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
    """The loss of one network, window after window of any size.

    Each thread keeps memory for its largest window, and its gradients: those of a call are good
    until the thread's next. Copies and pickles are without.
    """

    def __init__(self, kind: kernels.Kind, places: Places) -> None:
        self._kind = kind
        self._places = places
        self._kept = _Kept()

    def __getstate__(self) -> tuple[kernels.Kind, Places]:
        return self._kind, self._places

    def __setstate__(self, state: tuple[kernels.Kind, Places]) -> None:
        self.__init__(*state)  # type: ignore[misc]

    def __call__(
        self,
        weights: Sequence[Tensor],
        ids: Tensor,
        targets: Tensor,
        state: Sequence[Sequence[Tensor]] | None,
    ) -> tuple[float, list[list[Tensor]], list[Tensor]]:
        """(the mean of −ln p(target), each layer's fields after, the weights' gradients).

        weights: contiguous, float32 on the CPU, of the shapes that the places say, and of the same
        at every call; ids (T, B) and targets (T·B,), int64 and contiguous on the CPU, targets −1
        where they do not count; state: each layer's fields (B, H), None: zeros. NaN where no target
        counts. Raises IndexError for an id or target that is no symbol.
        """
        gradients = self._gradients_for(weights)
        kind, places = self._kind, self._places
        (steps, batch), (symbols, hidden) = ids.shape, weights[places.projection].shape
        width = 0 if places.embedding is None else weights[places.embedding].shape[1]
        size = kernels.NetworkSize(
            kind.code, steps, batch, symbols, width, hidden, len(places.layers)
        )
        embedding = places.embedding
        arrays = kernels.NetworkArrays(
            ids,
            targets,
            None if embedding is None else weights[embedding],
            None if embedding is None else gradients[embedding],
            weights[places.projection],
            weights[places.bias],
            gradients[places.projection],
            gradients[places.bias],
            self._room_for(size, tied=embedding == places.projection),
        )
        before = [[one.contiguous() for one in fields] for fields in state or ()]
        after = []
        layers: list[Tensor | None] = []
        for depth, own in enumerate(places.layers):
            final = [_floats(batch, hidden) for _ in range(kind.fields)]
            after.append(final)
            for arrays_of in (weights, gradients):
                layers += [None if place is None else arrays_of[place] for place in own]
            for fields in (before[depth] if state else [], final):
                layers += [*fields, None, None][:2]
        threads = torch.get_num_threads()
        nats = kernels.run_network_loss(size, arrays, layers, threads)
        return nats, after, list(gradients)

    def _gradients_for(self, weights: Sequence[Tensor]) -> list[Tensor]:
        """Room for them. What is there may have been a parameter's, and moved or cast with it."""
        kept = self._kept.gradients
        for one in kept:
            if one.dtype is not torch.float32 or not one.is_cpu:
                kept = []
                break
        if not kept:
            kept = self._kept.gradients = [_floats(*one.shape) for one in weights]
        return kept

    def _room_for(self, size: kernels.NetworkSize, *, tied: bool) -> int:
        """The address of as much memory as a call needs."""
        needed = kernels.network_room(size, tied=tied) + ALIGNED
        if self._kept.room.numel() < needed:
            self._kept.room = _floats(needed)
        return -(-self._kept.room.data_ptr() // 64) * 64


class _Kept(local):
    """A thread's memory."""

    def __init__(self) -> None:
        self.room = _floats(0)
        self.gradients: list[Tensor] = []


def _floats(*shape: int) -> Tensor:
    """Whatever is there, where the kernels can write: torch's defaults may be others."""
    return torch.empty(shape, dtype=torch.float32, device="cpu")
