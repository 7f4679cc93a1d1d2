"""From the state to a prediction and its loss, the same for every cell of the notes.

    z = W a + b        y = softmax(z)        loss = − Σ log y[label]        dz = y − onehot(label)

Axes are the notes': features first, (n_y, m) for one step and (n_y, m, T_x) for all of them.
The cells' own equations, forward and backward, are in rnn.py, lstm.py and gru.py.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recurra.errors import DataError
from recurra.shapes import check_shape
from recurra.textbook._checks import Array


def softmax(z: Array) -> Array:
    """Probabilities along the first axis of the scores z, of z's shape.

    The largest score is subtracted first: it changes nothing, as numerator and denominator both
    lose the same factor, and without it exp overflows from a score of 710 on.
    """
    exponentials = np.exp(z - z.max(axis=0, keepdims=True))
    return exponentials / exponentials.sum(axis=0, keepdims=True)  # type: ignore[no-any-return]


def one_hot(labels: NDArray[np.int64], size: int) -> Array:
    """(size, *labels.shape): 1 in the row that each label names, 0 in the others.

    Raises DataError for a label outside 0 to size − 1.
    """
    if labels.size and (labels.min() < 0 or labels.max() >= size):
        raise DataError(
            f"labels must lie in 0 to {size - 1} but go from {labels.min()} to {labels.max()}."
        )
    rows = np.arange(size).reshape(size, *(1,) * labels.ndim)
    ones: Array = (rows == labels).astype(np.float64)
    return ones


def cross_entropy(y_pred: Array, labels: NDArray[np.int64]) -> tuple[float, Array]:
    """(loss, dz): the summed loss in nats, and its gradient by the scores before the softmax.

    y_pred: probabilities (n_y, m) or (n_y, m, T_x); labels: integers of y_pred's shape without its
    first axis. Raises ShapeError where they do not fit and DataError for a label outside n_y.
    """
    check_shape("labels", labels, y_pred.shape[1:])
    truth = one_hot(labels, y_pred.shape[0])
    chosen = np.take_along_axis(y_pred, labels[np.newaxis], axis=0)
    return float(-np.log(chosen).sum()), y_pred - truth


def output_backward(dz: Array, a: Array, weight: Array) -> tuple[Array, Array, Array]:
    """(da, dweight, dbias) of z = weight a + bias, summed over sequences and steps.

    dz: (n_y, m, T_x); a: the states (n_a, m, T_x); weight: (n_y, n_a). da has a's shape, and is
    what the backward pass of a cell starts from. Raises ShapeError where they do not fit.
    """
    n_y, n_a = weight.shape
    check_shape("dz", dz, (n_y, "m", "T_x"))
    check_shape("a", a, (n_a, *dz.shape[1:]))
    da = np.einsum("ya,ymt->amt", weight, dz)
    dweight = np.einsum("ymt,amt->ya", dz, a)
    dbias = dz.sum(axis=(1, 2))[:, np.newaxis]  # (n_y, 1)
    return da, dweight, dbias
