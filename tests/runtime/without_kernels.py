"""The NumPy path as the oracle of the kernels, and how near to it they come."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from recurra.runtime import LanguageModel

# A logit is a float32 sum of some dozen products, rounded by 6e-8 each: between two ways to add
# them up, a probability differs by less than this share of itself.
ROUNDING = 1e-5


def without_kernels(make: Callable[[], LanguageModel]) -> LanguageModel:
    """What `make` makes, on the NumPy path for good."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECURRA_KERNELS", "off")
        model = make()
    assert model.sampler is None
    return model
