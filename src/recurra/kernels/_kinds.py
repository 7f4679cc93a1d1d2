"""Which cells have a kernel, and what each reads and keeps. Numbers as in native/job.hpp."""

from __future__ import annotations

from typing import NamedTuple

from recurra.errors import ConfigError, unknown


class Kind(NamedTuple):
    """What a cell's kernel needs beside x_gates, W_hh and h."""

    code: int  # native/job.hpp's enum Cell
    gates: int  # G: x_gates is (T, B, G·H)
    recurrent_gates: int  # weight_hh is (recurrent_gates · H, H)
    fields: int  # of the state: 2 with a cell state c
    keeps_gates: bool  # the activated gates are more than the output
    keeps_extra: bool  # and a (T, B, H) beside them: c, W_hn h + b_hn, or r * h
    other: str | None  # one more weight: "bias_hn" (H,) or "weight_hn" (H, H)


_RNN = Kind(0, 1, 1, 1, False, False, None)
_RELU = _RNN._replace(code=1)
KINDS = {
    "gru": Kind(3, 3, 3, 1, True, True, "bias_hn"),
    "gru_reset_before": Kind(4, 3, 2, 1, True, True, "weight_hn"),
    "irnn": _RELU,
    "lstm": Kind(2, 4, 4, 2, True, True, None),
    "relu_rnn": _RELU,
    "rnn": _RNN,
}


def kind(cell: str) -> Kind:
    """The kernel of that cell; ConfigError listing those there are if it has none."""
    try:
        return KINDS[cell]
    except KeyError:
        raise ConfigError(unknown("kernel", cell, KINDS)) from None
