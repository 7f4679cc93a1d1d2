"""A layer in one direction over a whole sequence: checked arrays to native/sequence.hpp."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from recurra.errors import ShapeError
from recurra.kernels._arrays import Array, floats, integers
from recurra.kernels._kinds import Kind, kind
from recurra.kernels._layer import Backward, Forward, Shape, run_backward, run_forward


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
    shape = _shape(it, weights, initial, outputs, lengths, reverse, threads)
    final_h, final_c = _state("final", it, final, batch, hidden)
    own = Forward(
        x_gates=floats("x_gates", x_gates, table),
        ids=0 if ids is None else integers("ids", ids, (steps, batch)),
        symbols=table[0],
        bias=0 if bias is None else floats("bias", bias, (wide,)),
        bias_hh=0,
        bias_hn=other if it.other == "bias_hn" else 0,
        outputs=floats("outputs", outputs, (steps, batch, hidden)),
        hidden=final_h,
        cell=final_c,
        gates=floats("gates", gates, (steps, batch, wide)) if keeps else 0,
        extra=floats("extra", extra, (steps, batch, hidden)) if keeps else 0,
    )
    run_forward(shape, own)


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
    d_h0, d_c0 = _state("d_initial", it, d_initial, batch, hidden)
    own = Backward(
        gates=floats("gates", gates, (steps, batch, it.gates * hidden)),
        extra=floats("extra", extra, (steps, batch, hidden)) if it.keeps_extra else 0,
        outputs=floats("outputs", outputs, (steps, batch, hidden)),
        d_outputs=0
        if d_outputs is None
        else floats("d_outputs", d_outputs, (steps, batch, hidden)),
        d_outputs_step=batch * hidden,
        d_outputs_sequence=hidden,
        d_outputs_same=False,
        d_hidden=d_state[0],
        d_cell=d_state[1] if it.fields == 2 else 0,
        d_h0=d_h0,
        d_c0=d_c0,
    )
    run_backward(_shape(it, weights, initial, outputs, lengths, reverse, threads), own)


def _sizes(outputs: Array) -> tuple[int, int, int]:
    shape = tuple(outputs.shape)
    if len(shape) != 3 or min(shape) < 1:
        raise ShapeError(f"outputs must have shape (T, B, H), each 1 or more, but has {shape}.")
    return shape


def _shape(
    it: Kind,
    weights: Mapping[str, Array],
    initial: Sequence[Array],
    outputs: Array,
    lengths: Array | None,
    reverse: bool,
    threads: int,
) -> Shape:
    steps, batch, hidden = _sizes(outputs)
    h0, c0 = _state("initial", it, initial, batch, hidden)
    return Shape(
        code=it.code,
        steps=steps,
        batch=batch,
        hidden=hidden,
        lengths=0 if lengths is None else integers("lengths", lengths, (batch,)),
        batch_sizes=0,
        order=0,
        reverse=reverse,
        threads=threads,
        weight_hh=floats("weight_hh", weights["weight_hh"], (it.recurrent_gates * hidden, hidden)),
        weight_hn=_other(it, weights, hidden) if it.other == "weight_hn" else 0,
        input_size=0,
        input=0,
        input_step=0,
        input_sequence=0,
        weight_ih=0,
        h0=h0,
        c0=c0,
        outputs_step=batch * hidden,
        outputs_sequence=hidden,
        tokens=0,
    )


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
