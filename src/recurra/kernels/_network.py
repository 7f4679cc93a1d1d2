"""A language model's loss and gradients in one native call, in terms of sizes and addresses.

As in `_layer.py` nothing is checked here but ids: `recurra.fused` comes with tensors it has checked
or made itself.
"""

from __future__ import annotations

from typing import NamedTuple

from recurra.kernels._available import native

# An address of 0 is no array. What each array is, native/network.hpp says; the order here is that
# in which native/bindings.cpp reads.


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
    """Its addresses beside the layers'."""

    ids: int
    targets: int
    embedding: int
    d_embedding: int  # of a tied one the projection's
    projection: int
    bias: int
    d_projection: int
    d_bias: int
    room: int


def network_room(size: NetworkSize, *, tied: bool) -> int:
    """How many floats a call of that size needs beside its arrays, aligned to 64 bytes."""
    return int(native.network_room(size, tied))


def run_network_loss(
    size: NetworkSize, arrays: NetworkArrays, layers: tuple[int, ...], threads: int
) -> float:
    """The mean of −ln p(target); every gradient and the final states go where addresses say.

    `layers`: for each weight_ih, weight_hh, bias and other, their gradients, h0, c0, hN and cN.
    NaN where no target counts. IndexError for an id or target out of range.
    """
    return float(native.network_loss(size, arrays, layers, threads))
