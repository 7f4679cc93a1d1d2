"""A layer in one direction over a whole sequence: checked arrays to native/sequence.hpp."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from recurra.errors import ShapeError
from recurra.kernels._arrays import Array, floats, integers
from recurra.kernels._kinds import Kind, kind
from recurra.kernels._layer import WEIGHTS, LayerSize, run_backward, run_forward


def forward(
    cell: str,
    x_gates: Array,
    weights: Mapping[str, Array],
    initial: Sequence[Array],
    outputs: Array,
    final: Sequence[Array],
    *,
    ids: Array | None = None,
    gates: Array | None = None,
    extra: Array | None = None,
    lengths: Array | None = None,
    reverse: bool = False,
    threads: int = 1,
) -> None:
    """Fills `outputs` (T, B, H) and `final` (fields (B, H)); with `gates`, what backward needs.

    x_gates is (T, B, G·H); or, with `ids` (T, B) int64, a table (V, G·H) whose rows are meant.
    `weights` holds weight_hh and, as the cell has them, weight_hn or bias_hn; a `bias` (G·H,) in
    it is added to x_gates. `initial` is the state before, fields (B, H). To train, give `gates`
    (T, B, G·H) (may be x_gates, unless that is a table; the rnn needs none) and `extra` (T, B, H).
    `lengths` (B,) int64 lie within 0 and T: past its length a sequence's output is zero and its
    state stays. With `reverse` the last step comes first.

    Raises ShapeError for a wrong shape, type or layout, and IndexError for an id out of range.
    """
    it = kind(cell)
    steps, batch, hidden = _sizes(outputs)
    wide = it.gates * hidden
    keeps = it.keeps_gates and gates is not None
    table = (x_gates.shape[0], wide) if ids is not None else (steps, batch, wide)
    arrays = [
        None if lengths is None else integers("lengths", lengths, (batch,)),
        *(None, None),  # it is not packed
        None if ids is None else integers("ids", ids, (steps, batch)),
        None,  # x_gates come instead
        *_state("initial", it, initial, batch, hidden),
        *_weights(it, weights, hidden, floats("x_gates", x_gates, table)),
        floats("gates", gates, (steps, batch, wide)) if keeps else None,
        floats("extra", extra, (steps, batch, hidden)) if keeps else None,
        floats("outputs", outputs, (steps, batch, hidden)),
    ]
    size = _size(it, outputs, reverse, rows=table[0])
    run_forward(size, arrays, _state("final", it, final, batch, hidden), threads=threads)


def backward(
    cell: str,
    gates: Array,
    weights: Mapping[str, Array],
    initial: Sequence[Array],
    outputs: Array,
    d_outputs: Array | None,
    d_final: Sequence[Array | None],
    d_initial: Sequence[Array],
    *,
    extra: Array | None = None,
    lengths: Array | None = None,
    reverse: bool = False,
    threads: int = 1,
) -> None:
    """Puts the gradient of x_gates into `gates` (T, B, G·H), that of the state into `d_initial`.

    `gates` and `extra` come as `forward` left them (an rnn's `gates` with anything in it), and the
    other arguments as they were then. The gru's `extra` leaves as the gradient of W_hn h + b_hn.
    Gradients from above that are None are zero. Raises ShapeError as `forward` does.
    """
    it = kind(cell)
    steps, batch, hidden = _sizes(outputs)
    d_state = [
        None if one is None else floats(f"d_final[{i}]", one, (batch, hidden))
        for i, one in enumerate(d_final)
    ]
    if len(d_state) != it.fields:
        raise ShapeError(f"d_final must have {it.fields} fields but has {len(d_state)}.")
    arrays = [
        None if lengths is None else integers("lengths", lengths, (batch,)),
        *(None, None, None, None),
        *_state("initial", it, initial, batch, hidden),
        *_weights(it, weights, hidden),
        floats("gates", gates, (steps, batch, it.gates * hidden)),
        floats("extra", extra, (steps, batch, hidden)) if it.keeps_extra else None,
        floats("outputs", outputs, (steps, batch, hidden)),
    ]
    above = None if d_outputs is None else floats("d_outputs", d_outputs, (steps, batch, hidden))
    run_backward(
        _size(it, outputs, reverse),
        arrays,
        (above, batch * hidden, hidden, False),
        d_state,
        [*_state("d_initial", it, d_initial, batch, hidden), *[None] * WEIGHTS],
        [],
        threads=threads,
    )


def _sizes(outputs: Array) -> tuple[int, int, int]:
    shape = tuple(outputs.shape)
    if len(shape) != 3 or min(shape) < 1:
        raise ShapeError(f"outputs must have shape (T, B, H), each 1 or more, but has {shape}.")
    return shape


def _size(it: Kind, outputs: Array, reverse: bool, rows: int = 0) -> LayerSize:
    steps, batch, hidden = _sizes(outputs)
    return LayerSize(
        it.code,
        steps,
        batch,
        hidden,
        width=it.gates * hidden,
        rows=rows,
        tokens=steps * batch,
        batch_first=False,
        reverse=reverse,
        directions=1,
        stacked=False,
    )


def _weights(
    it: Kind, weights: Mapping[str, Array], hidden: int, x_gates: int | None = None
) -> list[int | None]:
    """The addresses of x_gates, weight_hh, bias (where there are both), bias_hh and other."""
    found: list[int | None] = [x_gates, *[None] * (WEIGHTS - 1)]
    wide = it.recurrent_gates * hidden
    found[1] = floats("weight_hh", weights["weight_hh"], (wide, hidden))
    if x_gates is not None and "bias" in weights:
        found[2] = floats("bias", weights["bias"], (it.gates * hidden,))
    if it.other is not None:
        shape = (hidden,) if it.other == "bias_hn" else (hidden, hidden)
        found[4] = floats(it.other, weights[it.other], shape)
    return found


def _state(
    what: str, it: Kind, state: Sequence[Array], batch: int, hidden: int
) -> tuple[int, int | None]:
    """The addresses of h and of c, None where the cell has none."""
    if len(state) != it.fields:
        raise ShapeError(f"{what} must have {it.fields} fields but has {len(state)}.")
    h, *c = (floats(f"{what}[{i}]", one, (batch, hidden)) for i, one in enumerate(state))
    return h, c[0] if c else None
