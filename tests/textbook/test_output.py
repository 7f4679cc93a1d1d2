"""Softmax, one-hot and cross-entropy against hand-worked values."""

from __future__ import annotations

import math

import numpy as np
import pytest

from recurra.errors import DataError, ShapeError
from recurra.textbook import cross_entropy, one_hot, output_backward, softmax


def test_softmax_of_known_scores_is_known() -> None:
    scores = np.log(np.array([[1.0, 2.0], [3.0, 2.0]]))
    # exact but for the rounding of log and exp
    np.testing.assert_allclose(softmax(scores), [[0.25, 0.5], [0.75, 0.5]], rtol=1e-15)


def test_softmax_does_not_overflow() -> None:
    # exp(1000) is inf and inf / inf is nan: without the shift this would warn, and warnings fail
    np.testing.assert_array_equal(softmax(np.array([1000.0, 1000.0, -1000.0])), [0.5, 0.5, 0.0])


def test_one_hot_puts_a_one_where_the_label_says() -> None:
    np.testing.assert_array_equal(one_hot(np.array([2, 0]), 3), [[0, 1], [0, 0], [1, 0]])


@pytest.mark.parametrize("label", [-1, 3])
def test_a_label_outside_the_classes_raises(label: int) -> None:
    with pytest.raises(
        DataError, match=f"labels must lie in 0 to 2 but go from {label} to {label}"
    ):
        one_hot(np.array([label]), 3)


def test_cross_entropy_sums_nats_and_its_gradient_is_y_minus_the_truth() -> None:
    y_pred = np.array([[0.25, 0.5], [0.75, 0.5]])
    loss, dz = cross_entropy(y_pred, np.array([1, 0]))
    assert loss == pytest.approx(-math.log(0.75) - math.log(0.5), rel=1e-15)
    np.testing.assert_array_equal(dz, [[0.25, -0.5], [-0.25, 0.5]])


def test_labels_of_another_shape_raise() -> None:
    with pytest.raises(ShapeError, match=r"labels must have shape \(2, 3\) but has \(3, 2\)"):
        cross_entropy(np.full((4, 2, 3), 0.25), np.zeros((3, 2), dtype=np.int64))


def test_states_that_do_not_fit_the_gradient_raise() -> None:
    with pytest.raises(ShapeError, match=r"a must have shape \(3, 1, 5\) but has \(3, 1, 4\)"):
        output_backward(np.zeros((2, 1, 5)), np.zeros((3, 1, 4)), np.zeros((2, 3)))
