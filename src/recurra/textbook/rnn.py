"""The vanilla recurrent network (elman1990) in the notes' cell API, forward and backward.

    a' = tanh(Wax x + Waa a + ba)        y = softmax(Wya a' + by)

Axes: x (n_x, m, T_x), states (n_a, m, T_x), predictions (n_y, m, T_x); a cell sees one step of
each, (n_x, m) and so on. Parameters: Wax (n_a, n_x), Waa (n_a, n_a), Wya (n_y, n_a), ba (n_a, 1),
by (n_y, 1). The backward pass starts from da; where da comes from a loss on y, output.py gives it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

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


class RNNCache(NamedTuple):
    """What the backward pass of one step needs: states (n_a, m), input (n_x, m), parameters."""

    a_next: Array
    a_prev: Array
    xt: Array
    parameters: Parameters


def rnn_cell_forward(
    xt: Array, a_prev: Array, parameters: Parameters
) -> tuple[Array, Array, RNNCache]:
    """(a_next (n_a, m), yt_pred (n_y, m), cache) of one step.

    xt: (n_x, m); a_prev: (n_a, m). Raises ShapeError or ConfigError where something does not fit.
    """
    check_shape("xt", xt, ("n_x", "m"))
    check_shape("a_prev", a_prev, ("n_a", xt.shape[1]))
    n_x, n_a = len(xt), len(a_prev)
    check_parameters(
        parameters,
        {"Wax": (n_a, n_x), "Waa": (n_a, n_a), "ba": (n_a, 1), "Wya": ("n_y", n_a)},
    )
    check_parameters(parameters, {"by": (len(parameters["Wya"]), 1)})
    a_next = np.tanh(parameters["Wax"] @ xt + parameters["Waa"] @ a_prev + parameters["ba"])
    yt_pred = softmax(parameters["Wya"] @ a_next + parameters["by"])
    return a_next, yt_pred, RNNCache(a_next, a_prev, xt, parameters)


def rnn_cell_backward(da_next: Array, cache: RNNCache) -> Gradients:
    """dxt (n_x, m), da_prev (n_a, m), and dWax, dWaa, dba summed over the m sequences.

    da_next: (n_a, m), all of the loss's gradient that reaches a_next, from y and from later steps.
    """
    check_shape("da_next", da_next, cache.a_next.shape)
    dscores = (1 - cache.a_next**2) * da_next  # tanh' = 1 − tanh²
    return {
        "dxt": cache.parameters["Wax"].T @ dscores,
        "da_prev": cache.parameters["Waa"].T @ dscores,
        "dWax": dscores @ cache.xt.T,
        "dWaa": dscores @ cache.a_prev.T,
        "dba": dscores.sum(axis=1, keepdims=True),
    }


def rnn_forward(x: Array, a0: Array, parameters: Parameters) -> tuple[Array, Array, list[RNNCache]]:
    """(a (n_a, m, T_x), y_pred (n_y, m, T_x), caches): the cell at every step, from state a0.

    x: (n_x, m, T_x); a0: (n_a, m). caches[t] is step t's. From the state a[:, :, −1] it can go on.
    """
    check_parameters(parameters, {"Wya": ("n_y", "n_a")})
    n_y, n_a = parameters["Wya"].shape
    m, T_x = check_sequence(x, a0, n_a)
    a, y_pred = np.zeros((n_a, m, T_x)), np.zeros((n_y, m, T_x))
    caches = []
    a_next = a0
    for t in range(T_x):
        a_next, y_pred[:, :, t], cache = rnn_cell_forward(x[:, :, t], a_next, parameters)
        a[:, :, t] = a_next
        caches.append(cache)
    return a, y_pred, caches


def rnn_backward(da: Array, caches: Sequence[RNNCache]) -> Gradients:
    """dx (n_x, m, T_x), da0 (n_a, m), and dWax, dWaa, dba summed over sequences and steps.

    da: (n_a, m, T_x), the gradient that reaches each state from outside the recurrence.
    """
    first = first_step(caches)
    check_shape("da", da, (*first.a_next.shape, len(caches)))
    gradients = {f"d{name}": np.zeros_like(first.parameters[name]) for name in ("Wax", "Waa", "ba")}
    dx = np.zeros((*first.xt.shape, len(caches)))
    da_later = np.zeros_like(first.a_next)  # what step t + 1 sends back
    for t in reversed(range(len(caches))):
        step = rnn_cell_backward(da[:, :, t] + da_later, caches[t])
        dx[:, :, t], da_later = step["dxt"], step["da_prev"]
        for name in gradients:
            gradients[name] += step[name]
    return {"dx": dx, "da0": da_later, **gradients}
