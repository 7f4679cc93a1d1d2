"""Products over all steps of a large layer, which torch's GEMM makes: x_gates, and the gradients.

Tokens are the N pairs of step and sequence, in the order of the kernels' arrays: step by step.
"""

from __future__ import annotations

from torch import Tensor, get_num_threads, mm

from recurra import kernels


def by_token(x: Tensor, batch_first: bool) -> Tensor:
    """x (T, B, I), (B, T, I) or packed (N, I) as (N, I)."""
    if batch_first:
        x = x.transpose(0, 1)
    return x if x.dim() == 2 else x.reshape(-1, x.shape[2])


def as_source(flat: Tensor, source: Tensor, batch_first: bool) -> Tensor:
    """What `by_token` made (N, I), in the source's form again."""
    if not batch_first:
        return flat.view(source.shape)
    batch, steps, size = source.shape
    return flat.view(steps, batch, size).transpose(0, 1)


def table_gradient(symbols: int, ids: Tensor, d_gates: Tensor) -> Tensor:
    """The gradient of a table (V, G·H) whose rows the ids (T, B) chose."""
    sums = d_gates.new_empty(symbols, d_gates.shape[1])
    kernels.sum_rows(d_gates, ids.flatten(), sums, threads=get_num_threads())
    return sums


def recurrent_gradients(
    kind: kernels.Kind,
    d_gates: Tensor,
    extra: Tensor | None,
    h_before: Tensor,
    d_hh: Tensor | None,
    d_hn: Tensor | None,
) -> None:
    """Fills the gradients of weight_hh and weight_hn from those of all steps' gates (N, G·H)."""
    hidden = h_before.shape[1]
    if kind.other is None:
        if d_hh is not None:
            mm(d_gates.t(), h_before, out=d_hh)
        return
    assert extra is not None
    if d_hh is not None:
        mm(d_gates[:, : 2 * hidden].t(), h_before, out=d_hh[: 2 * hidden])
        if kind.other == "bias_hn":
            mm(extra.t(), h_before, out=d_hh[2 * hidden :])
    if d_hn is not None and kind.other == "weight_hn":
        mm(d_gates[:, 2 * hidden :].t(), extra, out=d_hn)
