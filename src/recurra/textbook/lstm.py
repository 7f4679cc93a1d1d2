"""Long short-term memory (hochreiter1997; forget gate: gers2000) in the notes' cell API.

    v = [a; x]                                   the state above the input, (n_a + n_x, m)
    i = σ(Wi v + bi)    f = σ(Wf v + bf)    o = σ(Wo v + bo)    c̃ = tanh(Wc v + bc)
    c' = f * c + i * c̃       a' = o * tanh(c')       y = softmax(Wy a' + by)

Axes: x (n_x, m, T_x), states a and c (n_a, m, T_x), predictions (n_y, m, T_x). Parameters: Wi, Wf,
Wo, Wc (n_a, n_a + n_x), bi, bf, bo, bc (n_a, 1), Wy (n_y, n_a), by (n_y, 1). The gates stay apart
here; torch stacks them i, f, g = c̃, o and puts x and a in two matrices, as recurra.cells.lstm does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from recurra.arrays import sigmoid
from recurra.shapes import check_shape
from recurra.textbook._checks import (
    Array,
    Gradients,
    Parameters,
    check_parameters,
    check_sequence,
    first_step,
)
from recurra.textbook.output import softmax

GATES = ("i", "f", "o", "c")


class LSTMCache(NamedTuple):
    """What the backward pass of one step needs: gates and states (n_a, m), input (n_x, m)."""

    c_next: Array
    c_prev: Array
    a_prev: Array
    xt: Array
    i: Array
    f: Array
    o: Array
    c_tilde: Array
    parameters: Parameters


def lstm_cell_forward(
    xt: Array, a_prev: Array, c_prev: Array, parameters: Parameters
) -> tuple[Array, Array, Array, LSTMCache]:
    """(a_next (n_a, m), c_next (n_a, m), yt_pred (n_y, m), cache) of one step.

    xt: (n_x, m); a_prev and c_prev: (n_a, m). Raises ShapeError or ConfigError where something
    does not fit.
    """
    check_shape("xt", xt, ("n_x", "m"))
    check_shape("a_prev", a_prev, ("n_a", xt.shape[1]))
    check_shape("c_prev", c_prev, a_prev.shape)
    n_x, n_a = len(xt), len(a_prev)
    check_parameters(parameters, {f"W{gate}": (n_a, n_a + n_x) for gate in GATES})
    check_parameters(parameters, {f"b{gate}": (n_a, 1) for gate in GATES})
    check_parameters(parameters, {"Wy": ("n_y", n_a)})
    check_parameters(parameters, {"by": (len(parameters["Wy"]), 1)})
    v = np.concatenate([a_prev, xt])  # (n_a + n_x, m)
    i = sigmoid(parameters["Wi"] @ v + parameters["bi"])
    f = sigmoid(parameters["Wf"] @ v + parameters["bf"])
    o = sigmoid(parameters["Wo"] @ v + parameters["bo"])
    c_tilde = np.tanh(parameters["Wc"] @ v + parameters["bc"])
    c_next = f * c_prev + i * c_tilde
    a_next = o * np.tanh(c_next)
    yt_pred = softmax(parameters["Wy"] @ a_next + parameters["by"])
    cache = LSTMCache(c_next, c_prev, a_prev, xt, i, f, o, c_tilde, parameters)
    return a_next, c_next, yt_pred, cache


def lstm_cell_backward(da_next: Array, dc_next: Array, cache: LSTMCache) -> Gradients:
    """dxt (n_x, m), da_prev, dc_prev (n_a, m), and dWi … dbc summed over the m sequences.

    da_next, dc_next: (n_a, m), the loss's gradient that reaches a_next, and c_next past a_next.
    """
    check_shape("da_next", da_next, cache.c_next.shape)
    check_shape("dc_next", dc_next, cache.c_next.shape)
    i, f, o, c_tilde = cache.i, cache.f, cache.o, cache.c_tilde
    tanh_c = np.tanh(cache.c_next)
    dc = dc_next + da_next * o * (1 - tanh_c**2)
    dscores = {  # σ' = σ (1 − σ), tanh' = 1 − tanh²
        "i": dc * c_tilde * i * (1 - i),
        "f": dc * cache.c_prev * f * (1 - f),
        "o": da_next * tanh_c * o * (1 - o),
        "c": dc * i * (1 - c_tilde**2),
    }
    v = np.concatenate([cache.a_prev, cache.xt])
    dv = np.zeros_like(v)
    gradients = {}
    for gate in GATES:
        dv += cache.parameters[f"W{gate}"].T @ dscores[gate]
        gradients[f"dW{gate}"] = dscores[gate] @ v.T
        gradients[f"db{gate}"] = dscores[gate].sum(axis=1, keepdims=True)
    n_a = len(cache.a_prev)
    return {"dxt": dv[n_a:], "da_prev": dv[:n_a], "dc_prev": f * dc, **gradients}


def lstm_forward(
    x: Array, a0: Array, c0: Array, parameters: Parameters
) -> tuple[Array, Array, Array, list[LSTMCache]]:
    """(a (n_a, m, T_x), y_pred (n_y, m, T_x), c (n_a, m, T_x), caches): the cell at every step.

    x: (n_x, m, T_x); a0 and c0: (n_a, m). caches[t] is step t's.
    """
    check_parameters(parameters, {"Wy": ("n_y", "n_a")})
    n_y, n_a = parameters["Wy"].shape
    m, T_x = check_sequence(x, a0, n_a)
    a, c, y_pred = np.zeros((n_a, m, T_x)), np.zeros((n_a, m, T_x)), np.zeros((n_y, m, T_x))
    caches = []
    a_next, c_next = a0, c0
    for t in range(T_x):
        a_next, c_next, y_pred[:, :, t], cache = lstm_cell_forward(
            x[:, :, t], a_next, c_next, parameters
        )
        a[:, :, t], c[:, :, t] = a_next, c_next
        caches.append(cache)
    return a, y_pred, c, caches


def lstm_backward(da: Array, caches: Sequence[LSTMCache]) -> Gradients:
    """dx (n_x, m, T_x), da0, dc0 (n_a, m), and dWi … dbc summed over sequences and steps.

    da: (n_a, m, T_x), the gradient that reaches each a from outside the recurrence; c is reached
    through a alone.
    """
    first = first_step(caches)
    check_shape("da", da, (*first.c_next.shape, len(caches)))
    names = [f"{kind}{gate}" for gate in GATES for kind in ("W", "b")]
    gradients = {f"d{name}": np.zeros_like(first.parameters[name]) for name in names}
    dx = np.zeros((*first.xt.shape, len(caches)))
    da_later, dc_later = np.zeros_like(first.c_next), np.zeros_like(first.c_next)
    for t in reversed(range(len(caches))):
        step = lstm_cell_backward(da[:, :, t] + da_later, dc_later, caches[t])
        dx[:, :, t], da_later, dc_later = step["dxt"], step["da_prev"], step["dc_prev"]
        for name in gradients:
            gradients[name] += step[name]
    return {"dx": dx, "da0": da_later, "dc0": dc_later, **gradients}
