"""A language model's loss and gradients in one native call, in terms of sizes and arrays.

As in `_layer.py` nothing is checked here but ids: `recurra.fused` comes with tensors it has checked
or made itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from recurra.kernels._arrays import Place
from recurra.kernels._available import native

# What each array is, native/network.hpp says; the order here is that in which native/bindings.cpp
# reads.


class NetworkSize(NamedTuple):
    """The numbers of native/network.hpp's NetworkLoss."""

    code: int  # the Kind's
    steps: int
    batch: int
    symbols: int
    embedding_size: int  # 0: one-hot
    hidden: int
    layers: int


class NetworkArrays(NamedTuple):
    """Its arrays beside the layers'."""

    ids: Place
    targets: Place
    embedding: Place
    d_embedding: Place  # of a tied one the projection's
    projection: Place
    bias: Place
    d_projection: Place
    d_bias: Place
    room: Place


def network_room(size: NetworkSize, *, tied: bool) -> int:
    """How many floats a call of that size needs beside its arrays, aligned to 64 bytes."""
    return int(native.network_room(size, tied))


def run_network_loss(
    size: NetworkSize, arrays: NetworkArrays, layers: Sequence[Place], threads: int
) -> float:
    """The mean of −ln p(target); every gradient and the final states go where the arrays say.

    `layers`: for each weight_ih, weight_hh, bias and other, their gradients, h0, c0, hN and cN.
    NaN where no target counts. IndexError for an id or target out of range.
    """
    return float(native.network_loss(size, arrays, layers, threads))
