"""exp, tanh and sigmoid of the kernels, at every instruction set."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from numpy.typing import NDArray

from recurra import kernels

# none where the kernels are missing: then every test here is skipped
SETS = () if kernels.why_missing() else kernels.instruction_sets().available
pytestmark = pytest.mark.skipif(
    kernels.why_missing() is not None, reason=f"no native kernels: {kernels.why_missing()}"
)

# How many ulp each is off at most, as its docstring states; exp only within [-87, 88].
BOUNDS = {"exp": 2.0, "tanh": 3.0, "sigmoid": 3.0}
# Run in a process of its own, since the instruction set is chosen once a process.
MEASURE = """
import json
import numpy as np
from recurra import kernels

def dense():
    '''Every 997th float32 of either sign, from 1e-38 to 90: two million of them.'''
    bits = np.arange(0x00800000, np.float32(90).view(np.int32), 997, dtype=np.int32)
    positive = bits.view(np.float32)
    return np.concatenate([positive, -positive])

def ulps(found, true):
    with np.errstate(under='ignore'):
        spacing = np.spacing(np.abs(true).astype(np.float32)).astype(np.float64)
    return float(np.max(np.abs(found.astype(np.float64) - true) / spacing))

x = dense()
wide = x.astype(np.float64)
some = (x >= -87) & (x <= 88)
above = x >= -87
print(json.dumps({
    'exp': ulps(kernels.exp(x)[some], np.exp(wide[some])),
    'tanh': ulps(kernels.tanh(x), np.tanh(wide)),
    'sigmoid': ulps(kernels.sigmoid(x)[above], 1 / (1 + np.exp(-wide[above]))),
    'chosen': kernels.instruction_sets().chosen,
}))
"""


@pytest.mark.parametrize("name", SETS)
def test_each_function_keeps_its_bound_over_a_dense_grid(name: str) -> None:
    environment = {**os.environ, "RECURRA_ISA": name}
    done = subprocess.run(
        [sys.executable, "-c", MEASURE], env=environment, capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    assert found.pop("chosen") == name
    for function, bound in BOUNDS.items():
        assert found[function] <= bound, f"{function} is {found[function]} ulp off"


def array(*values: float) -> NDArray[np.float32]:
    return np.array(values, np.float32)


def test_nan_stays_nan_in_every_lane() -> None:
    x = np.full(37, np.nan, np.float32)
    for function in (kernels.exp, kernels.tanh, kernels.sigmoid):
        assert np.isnan(function(x)).all()


def test_infinities_and_huge_numbers_reach_the_limits() -> None:
    x = array(np.inf, 3e38, -np.inf, -3e38)
    np.testing.assert_array_equal(kernels.tanh(x), array(1, 1, -1, -1))
    np.testing.assert_array_equal(kernels.sigmoid(x)[:2], array(1, 1))
    assert (kernels.sigmoid(x)[2:] < 2e-38).all()


def test_tanh_keeps_the_sign_of_zero_and_never_leaves_minus_one_to_one() -> None:
    assert np.signbit(kernels.tanh(array(0.0, -0.0))).tolist() == [False, True]
    x = np.linspace(-30, 30, 200_001, dtype=np.float32)
    assert np.abs(kernels.tanh(x)).max() == 1
    assert kernels.sigmoid(x).max() == 1


def test_a_denormal_number_counts_as_zero_of_its_sign() -> None:
    tiny = float(np.finfo(np.float32).tiny)
    found = kernels.tanh(array(tiny, tiny / 2, -tiny / 2))
    np.testing.assert_array_equal(found, array(tiny, 0, 0))
    assert np.signbit(found).tolist() == [False, False, True]
    np.testing.assert_array_equal(kernels.sigmoid(array(tiny / 2, -tiny / 2)), array(0.5, 0.5))


def test_a_partial_vector_touches_nothing_beyond_its_end() -> None:
    for n in range(1, 40):
        x = np.linspace(-2, 2, n, dtype=np.float32)
        np.testing.assert_allclose(kernels.tanh(x), np.tanh(x), rtol=1e-6)  # a few ulp of 6e-8
