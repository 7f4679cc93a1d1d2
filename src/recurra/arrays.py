"""The few functions a cell's equations need, the same on NumPy arrays and on torch tensors.

Torch is never imported: a tensor brings its own methods. Anything with an operator (+, *, @) or a
method of the same name on both (`x.sum`, `x.reshape`) needs no function here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = Any  # a NumPy array or a torch tensor of any floating dtype


def tanh(x: Array) -> Array:
    """The hyperbolic tangent."""
    return np.tanh(x) if isinstance(x, np.ndarray) else x.tanh()


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), without overflow at either end."""
    return 0.5 * np.tanh(0.5 * x) + 0.5 if isinstance(x, np.ndarray) else x.sigmoid()


def relu(x: Array) -> Array:
    """max(x, 0); its derivative at 0 is taken as 0."""
    return np.maximum(x, 0) if isinstance(x, np.ndarray) else x.relu()


def split(x: Array, parts: int) -> Sequence[Array]:
    """`x` cut along its last axis into `parts` of equal size: (..., G·H) to G times (..., H)."""
    if not isinstance(x, np.ndarray):
        return x.chunk(parts, dim=-1)  # type: ignore[no-any-return]
    size = x.shape[-1] // parts  # slices: np.split does the same in five times the time
    return [x[..., part * size : (part + 1) * size] for part in range(parts)]


def where(mask: Array, x: Array, y: Array) -> Array:
    """`x` where the mask is True, `y` elsewhere."""
    return np.where(mask, x, y) if isinstance(x, np.ndarray) else x.where(mask, y)


def zeros(shape: tuple[int, ...], like: Array) -> Array:
    """Zeros of the type, and on the device, of `like`."""
    return np.zeros(shape, like.dtype) if isinstance(like, np.ndarray) else like.new_zeros(shape)


def layer_norm(x: Array, gain: Array, eps: float = 1e-5) -> Array:
    """(x − mean) / sqrt(variance + eps) · gain over the last axis (ba2016); x and gain end in H."""
    centred = x - x.mean(axis=-1, keepdims=True)
    variance = (centred * centred).mean(axis=-1, keepdims=True)
    return centred * (variance + eps) ** -0.5 * gain
