"""A layer in one direction over a whole sequence: checked arrays to native/sequence.hpp."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from recurra.errors import ShapeError
from recurra.kernels._arrays import Array, floats, integers
from recurra.kernels._available import native
from recurra.kernels._kinds import Kind, kind


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
    bias, other = weights.get("bias"), _other(it, weights, hidden)
    table = (x_gates.shape[0], wide) if ids is not None else (steps, batch, wide)
    native.forward(
        *_common(it, weights, steps, batch, hidden, lengths, reverse, threads),
        other if it.other == "weight_hn" else 0,
        floats("x_gates", x_gates, table),
        0 if ids is None else integers("ids", ids, (steps, batch)),
        table[0],
        0 if bias is None else floats("bias", bias, (wide,)),
        other if it.other == "bias_hn" else 0,
        *_state("initial", it, initial, batch, hidden),
        floats("outputs", outputs, (steps, batch, hidden)),
        *_state("final", it, final, batch, hidden),
        floats("gates", gates, (steps, batch, wide)) if keeps else 0,
        floats("extra", extra, (steps, batch, hidden)) if keeps else 0,
    )


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
        0 if one is None else floats(f"d_final[{i}]", one, (batch, hidden))
        for i, one in enumerate(d_final)
    ]
    if len(d_state) != it.fields:
        raise ShapeError(f"d_final must have {it.fields} fields but has {len(d_state)}.")
    native.backward(
        *_common(it, weights, steps, batch, hidden, lengths, reverse, threads),
        _other(it, weights, hidden) if it.other == "weight_hn" else 0,
        floats("gates", gates, (steps, batch, it.gates * hidden)),
        floats("extra", extra, (steps, batch, hidden)) if it.keeps_extra else 0,
        floats("outputs", outputs, (steps, batch, hidden)),
        *_state("initial", it, initial, batch, hidden),
        0 if d_outputs is None else floats("d_outputs", d_outputs, (steps, batch, hidden)),
        *(*d_state, 0)[:2],
        *_state("d_initial", it, d_initial, batch, hidden),
    )


def _sizes(outputs: Array) -> tuple[int, int, int]:
    shape = tuple(outputs.shape)
    if len(shape) != 3 or min(shape) < 1:
        raise ShapeError(f"outputs must have shape (T, B, H), each 1 or more, but has {shape}.")
    return shape


def _common(
    it: Kind,
    weights: Mapping[str, Array],
    steps: int,
    batch: int,
    hidden: int,
    lengths: Array | None,
    reverse: bool,
    threads: int,
) -> tuple[int, ...]:
    return (
        it.code,
        steps,
        batch,
        hidden,
        0 if lengths is None else _lengths(lengths, steps, batch),
        reverse,
        threads,
        floats("weight_hh", weights["weight_hh"], (it.recurrent_gates * hidden, hidden)),
    )


def _lengths(lengths: Array, steps: int, batch: int) -> int:
    address = integers("lengths", lengths, (batch,))
    low, high = int(lengths.min()), int(lengths.max())
    if low < 0 or high > steps:
        raise ShapeError(f"lengths must be 0 to T={steps} but reach from {low} to {high}.")
    return address


def _other(it: Kind, weights: Mapping[str, Array], hidden: int) -> int:
    if it.other is None:
        return 0
    shape = (hidden,) if it.other == "bias_hn" else (hidden, hidden)
    return floats(it.other, weights[it.other], shape)


def _state(what: str, it: Kind, state: Sequence[Array], batch: int, hidden: int) -> tuple[int, int]:
    """The addresses of h and of c, 0 where the cell has none."""
    if len(state) != it.fields:
        raise ShapeError(f"{what} must have {it.fields} fields but has {len(state)}.")
    h, *c = (floats(f"{what}[{i}]", one, (batch, hidden)) for i, one in enumerate(state))
    return h, c[0] if c else 0
