"""The functions of cells: the same on NumPy and on torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from recurra import arrays

X = np.array([[-1000.0, -1.5, -0.0, 0.25], [1e-3, 2.0, 40.0, 1000.0]])


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "relu"])
def test_numpy_and_torch_agree(name: str) -> None:
    function = getattr(arrays, name)
    # both are correctly rounded to a few ulp of float64
    np.testing.assert_allclose(
        function(X), function(torch.tensor(X)).numpy(), rtol=1e-14, atol=1e-16
    )


def test_sigmoid_keeps_its_dtype_and_does_not_overflow() -> None:
    y = arrays.sigmoid(X.astype(np.float32))
    assert y.dtype == np.float32
    assert y[0, 0] == 0.0
    assert y[1, 3] == 1.0


def test_layer_norm_is_its_equation_and_torchs() -> None:
    x = np.random.default_rng(0).standard_normal((3, 5))
    gain = np.arange(1.0, 6.0)
    expected = torch.nn.functional.layer_norm(torch.tensor(x), (5,), torch.tensor(gain))
    # float64, sums of five terms
    np.testing.assert_allclose(arrays.layer_norm(x, gain), expected.numpy(), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(
        arrays.layer_norm(torch.tensor(x), torch.tensor(gain)).numpy(),
        expected.numpy(),
        rtol=1e-12,
        atol=1e-12,
    )


def test_split_where_and_zeros_agree_with_their_names() -> None:
    for x in (X, torch.tensor(X)):
        left, right = arrays.split(x, 2)
        assert left.shape == right.shape == (2, 2)
        assert float(right[0, 1]) == 0.25
        chosen = arrays.where(x > 0, x, 0 * x)
        assert float(chosen[0, 1]) == 0.0
        assert float(chosen[1, 1]) == 2.0
        assert arrays.zeros((2, 3), x).shape == (2, 3)
        assert arrays.zeros((2, 3), x).dtype == x.dtype
