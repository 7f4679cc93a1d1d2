"""A layer's native call in its own terms: sizes, and addresses of arrays the caller has checked.

`forward` and `backward` in `_sequence.py` check arrays first. `recurra.fused` comes here directly,
with tensors that it has checked or made itself: at one sequence the checks would take as long as
the layer.
"""

from __future__ import annotations

from typing import NamedTuple

from recurra.errors import ShapeError
from recurra.kernels._available import native

# An address of 0 is no array. What each array is, native/job.hpp says; the order here is that in
# which native/bindings.cpp reads. float32; indices int64.


class Shape(NamedTuple):
    """What forward and backward have in common: native/job.hpp's Shape."""

    code: int  # the Kind's
    steps: int
    batch: int
    hidden: int
    lengths: int
    batch_sizes: int
    order: int
    reverse: bool
    threads: int
    weight_hh: int
    weight_hn: int
    input_size: int
    input: int
    input_step: int
    input_sequence: int
    weight_ih: int
    h0: int
    c0: int
    outputs_step: int
    outputs_sequence: int
    tokens: int  # rows of packed arrays; else 0


class Forward(NamedTuple):
    """What forward has beside its Shape."""

    x_gates: int
    ids: int
    symbols: int  # rows of x_gates where there are ids
    bias: int
    bias_hh: int
    bias_hn: int
    outputs: int
    hidden: int
    cell: int
    gates: int
    extra: int


class Backward(NamedTuple):
    """What backward has beside its Shape."""

    gates: int
    extra: int
    outputs: int
    d_outputs: int
    d_outputs_step: int
    d_outputs_sequence: int
    d_outputs_same: bool
    d_hidden: int
    d_cell: int
    d_h0: int
    d_c0: int
    d_input: int = 0
    d_weight_ih: int = 0
    d_weight_hh: int = 0
    d_weight_hn: int = 0
    d_bias: int = 0
    d_bias_hh: int = 0
    d_bias_hn: int = 0


def run_forward(*directions: Shape | Forward) -> None:
    """Runs a direction, given as Shape and Forward, or both directions of a layer in turn.

    Two at the same time where the batch is too small to be split. ShapeError for lengths or
    batch_sizes that cannot be, IndexError for an id out of range.
    """
    try:
        native.forward(*directions)
    except ValueError as error:
        raise ShapeError(str(error)) from None


def run_backward(*directions: Shape | Backward) -> None:
    """The backward pass of what `run_forward` ran: a Shape and a Backward a direction."""
    try:
        native.backward(*directions)
    except ValueError as error:
        raise ShapeError(str(error)) from None
