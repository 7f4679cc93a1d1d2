"""The kernels' own exp, tanh and sigmoid, over arrays: what their error bounds are tested on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recurra.kernels._arrays import floats
from recurra.kernels._available import native


def exp(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """e^x within 2 ulp, where x is first brought into [-87, 88]; NaN stays NaN."""
    return _applied(0, x)


def tanh(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """tanh x within 3 ulp; NaN and the sign of zero stay. A denormal number counts as zero."""
    return _applied(1, x)


def sigmoid(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """1 / (1 + e^-x) within 3 ulp for x >= -87, below 2e-38 under that; NaN stays NaN."""
    return _applied(2, x)


def _applied(function: int, x: NDArray[np.float32]) -> NDArray[np.float32]:
    out = np.empty_like(x)
    native.apply(function, floats("x", x, x.shape), floats("out", out, x.shape), x.size)
    return out
