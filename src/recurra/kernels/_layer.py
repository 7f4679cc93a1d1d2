"""A layer's native call in its own terms: sizes, and arrays the caller has checked.

`forward` and `backward` in `_sequence.py` check arrays first. `recurra.fused` comes here directly,
with tensors that it has checked or made itself: at one sequence the checks would take as long as
the layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from recurra.errors import ShapeError
from recurra.kernels._arrays import Place
from recurra.kernels._available import native

WEIGHTS = 5  # arrays of a direction's weights: weight_ih, weight_hh, bias, bias_hh, other


class LayerSize(NamedTuple):
    """What both calls are told beside arrays, in the order that native/bind_layer.cpp reads."""

    code: int  # the Kind's
    steps: int
    batch: int
    hidden: int
    width: int  # of a row of what is read, x or x_gates
    rows: int  # of that where it is a table
    tokens: int  # steps · batch, or the rows of packed arrays
    batch_first: bool
    reverse: bool  # the first direction; a second one always is
    directions: int
    stacked: bool  # states are (D, B, H), not (B, H)


def run_forward(
    size: LayerSize, arrays: Sequence[Place], final: Sequence[Place], *, threads: int
) -> None:
    """Runs a layer in one direction or both, at the same time where the batch is small.

    arrays: lengths (B,), batch_sizes (T,), order (B,), ids (T, B), x, h0, c0 ((D, B, H)); each
    direction's weight_ih, weight_hh, bias, bias_hh and other; each one's gates (N, G·H), each one's
    extra (N, H), and the outputs (D·H a row): all but the last three are read, those filled.
    Without x each direction's x_gates stand in weight_ih's place. With ids x is a table (V, I), or
    x_gates are (V, G·H). final: the fields of the state, (D, B, H), filled. float32, indices int64,
    contiguous; native/job.hpp says which may be None. ShapeError for lengths or batch_sizes that
    cannot be, IndexError for an id out of range.
    """
    try:
        native.forward(size, arrays, final, threads)
    except ValueError as error:
        raise ShapeError(str(error)) from None


def run_backward(
    size: LayerSize,
    arrays: Sequence[Place],
    above: tuple[Place, int, int, bool],
    final: Sequence[Place],
    found: Sequence[Place],
    inputs: Sequence[Place],
    *,
    threads: int,
) -> None:
    """The backward pass of what `run_forward` ran with those arrays.

    above: the gradient of the outputs, how many floats it is there from a step's row to the next
    and from a sequence's, and whether its first number stands for all; final: of each field of the
    state. To be filled, None where not wanted: found, the gradient of h0, c0, and of each
    direction's weights as in `arrays`; inputs, that of x by each direction, with ids of each token
    (N, I), or empty. The gates become the gradient of x_gates.
    """
    try:
        native.backward(size, arrays, above, final, found, inputs, threads)
    except ValueError as error:
        raise ShapeError(str(error)) from None
