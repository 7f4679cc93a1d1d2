"""The gated recurrent unit (cho2014), as the lecture draws it, in the notes' cell API.

    z = σ(Wz [a; x] + bz)        r = σ(Wr [a; x] + br)        ã = tanh(Wa [r * a; x] + ba)
    a' = z * a + (1 − z) * ã     y = softmax(Wy a' + by)

Convention: z near 1 keeps the old state (as in cho2014, the lecture and torch; chung2014 points z
the other way), and the reset acts *before* the matrix product (torch and cuDNN: after it). What is
mixed in is the candidate ã: without its tilde the last line would read a' = z * a + (1 − z) * a',
whose only solution is a' = a, a state that never changes.

Axes: x (n_x, m, T_x), states (n_a, m, T_x), predictions (n_y, m, T_x). Parameters: Wz, Wr, Wa
(n_a, n_a + n_x), bz, br, ba (n_a, 1), Wy (n_y, n_a), by (n_y, 1).
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

GATES = ("z", "r", "a")


class GRUCache(NamedTuple):
    """What the backward pass of one step needs: gates and states (n_a, m), input (n_x, m)."""

    a_prev: Array
    xt: Array
    z: Array
    r: Array
    a_tilde: Array
    parameters: Parameters


def gru_cell_forward(
    xt: Array, a_prev: Array, parameters: Parameters
) -> tuple[Array, Array, GRUCache]:
    """(a_next (n_a, m), yt_pred (n_y, m), cache) of one step.

    xt: (n_x, m); a_prev: (n_a, m). Raises ShapeError or ConfigError where something does not fit.
    """
    check_shape("xt", xt, ("n_x", "m"))
    check_shape("a_prev", a_prev, ("n_a", xt.shape[1]))
    n_x, n_a = len(xt), len(a_prev)
    check_parameters(parameters, {f"W{gate}": (n_a, n_a + n_x) for gate in GATES})
    check_parameters(parameters, {f"b{gate}": (n_a, 1) for gate in GATES})
    check_parameters(parameters, {"Wy": ("n_y", n_a)})
    check_parameters(parameters, {"by": (len(parameters["Wy"]), 1)})
    v = np.concatenate([a_prev, xt])  # (n_a + n_x, m)
    z = sigmoid(parameters["Wz"] @ v + parameters["bz"])
    r = sigmoid(parameters["Wr"] @ v + parameters["br"])
    a_tilde = np.tanh(parameters["Wa"] @ np.concatenate([r * a_prev, xt]) + parameters["ba"])
    a_next = z * a_prev + (1 - z) * a_tilde
    yt_pred = softmax(parameters["Wy"] @ a_next + parameters["by"])
    return a_next, yt_pred, GRUCache(a_prev, xt, z, r, a_tilde, parameters)


def gru_cell_backward(da_next: Array, cache: GRUCache) -> Gradients:
    """dxt (n_x, m), da_prev (n_a, m), and dWz … dba summed over the m sequences.

    da_next: (n_a, m), all of the loss's gradient that reaches a_next, from y and from later steps.
    """
    check_shape("da_next", da_next, cache.a_prev.shape)
    a_prev, xt, z, r, a_tilde, parameters = cache
    n_a = len(a_prev)
    v, v_reset = np.concatenate([a_prev, xt]), np.concatenate([r * a_prev, xt])
    da_scores = da_next * (1 - z) * (1 - a_tilde**2)  # tanh' = 1 − tanh²
    dv_reset = parameters["Wa"].T @ da_scores
    dz_scores = da_next * (a_prev - a_tilde) * z * (1 - z)  # σ' = σ (1 − σ)
    dr_scores = dv_reset[:n_a] * a_prev * r * (1 - r)
    dv = parameters["Wz"].T @ dz_scores + parameters["Wr"].T @ dr_scores
    return {
        "dxt": dv[n_a:] + dv_reset[n_a:],
        "da_prev": dv[:n_a] + dv_reset[:n_a] * r + da_next * z,
        "dWz": dz_scores @ v.T,
        "dWr": dr_scores @ v.T,
        "dWa": da_scores @ v_reset.T,
        "dbz": dz_scores.sum(axis=1, keepdims=True),
        "dbr": dr_scores.sum(axis=1, keepdims=True),
        "dba": da_scores.sum(axis=1, keepdims=True),
    }


def gru_forward(x: Array, a0: Array, parameters: Parameters) -> tuple[Array, Array, list[GRUCache]]:
    """(a (n_a, m, T_x), y_pred (n_y, m, T_x), caches): the cell at every step, from state a0.

    x: (n_x, m, T_x); a0: (n_a, m). caches[t] is step t's.
    """
    check_parameters(parameters, {"Wy": ("n_y", "n_a")})
    n_y, n_a = parameters["Wy"].shape
    m, T_x = check_sequence(x, a0, n_a)
    a, y_pred = np.zeros((n_a, m, T_x)), np.zeros((n_y, m, T_x))
    caches = []
    a_next = a0
    for t in range(T_x):
        a_next, y_pred[:, :, t], cache = gru_cell_forward(x[:, :, t], a_next, parameters)
        a[:, :, t] = a_next
        caches.append(cache)
    return a, y_pred, caches


def gru_backward(da: Array, caches: Sequence[GRUCache]) -> Gradients:
    """dx (n_x, m, T_x), da0 (n_a, m), and dWz … dba summed over sequences and steps.

    da: (n_a, m, T_x), the gradient that reaches each state from outside the recurrence.
    """
    first = first_step(caches)
    check_shape("da", da, (*first.a_prev.shape, len(caches)))
    names = [f"{kind}{gate}" for gate in GATES for kind in ("W", "b")]
    gradients = {f"d{name}": np.zeros_like(first.parameters[name]) for name in names}
    dx = np.zeros((*first.xt.shape, len(caches)))
    da_later = np.zeros_like(first.a_prev)  # what step t + 1 sends back
    for t in reversed(range(len(caches))):
        step = gru_cell_backward(da[:, :, t] + da_later, caches[t])
        dx[:, :, t], da_later = step["dxt"], step["da_prev"]
        for name in gradients:
            gradients[name] += step[name]
    return {"dx": dx, "da0": da_later, **gradients}
