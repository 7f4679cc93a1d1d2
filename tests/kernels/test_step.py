"""The loss over the symbols and sums of rows, against their formulas in float64."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from numpy.typing import NDArray

from recurra import kernels
from recurra.errors import ShapeError

# none where the kernels are missing: then every test here is skipped
SETS = () if kernels.why_missing() else kernels.instruction_sets().available
pytestmark = pytest.mark.skipif(
    kernels.why_missing() is not None, reason=f"no native kernels: {kernels.why_missing()}"
)

Floats = NDArray[np.float32]
Ids = NDArray[np.int64]
# one symbol, below and on the widths of vectors, one past them, enough for two threads
SIZES = [(1, 1), (3, 2), (5, 4), (7, 15), (4, 16), (9, 33), (700, 65), (40, 8000)]


def drawn(tokens: int, symbols: int) -> tuple[Floats, Ids]:
    """Logits of a standard deviation of 4, and targets, a fifth of which do not count."""
    rng = np.random.default_rng(tokens * symbols)
    targets = rng.integers(0, symbols, tokens)
    targets[1::5] = kernels.NOT_COUNTED
    return (4 * rng.normal(size=(tokens, symbols))).astype(np.float32), targets


def log_softmax(logits: Floats) -> NDArray[np.float64]:
    wide = logits.astype(np.float64)
    wide -= wide.max(1, keepdims=True)
    return np.asarray(wide - np.log(np.exp(wide).sum(1, keepdims=True)))


def close_at_this_set() -> None:
    """Every size against float64; what the processes of each instruction set run."""
    for tokens, symbols in SIZES:
        logits, targets = drawn(tokens, symbols)
        counted, rows = targets >= 0, np.arange(tokens)
        log_p = log_softmax(logits)
        expected = np.where(counted, -log_p[rows, targets], 0)
        d_expected = np.exp(log_p)
        d_expected[rows, targets] -= 1
        d_expected *= 0.25 * counted[:, None]
        gradient = np.full_like(logits, np.nan)
        nats = kernels.nats(logits, targets, gradient=gradient, scale=0.25, threads=2)
        # as stated: a few ulp of the exponentials' sum, and of logits of some 20
        np.testing.assert_allclose(nats, expected, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(gradient, d_expected, rtol=1e-6, atol=1e-7)
        assert np.array_equal(kernels.nats(logits, targets), nats)
        sums = np.full((3, symbols), np.nan, np.float32)
        ids = rows % 2 * 2  # none has id 1
        kernels.sum_rows(logits, ids, sums, threads=2)
        wide = [logits[ids == v].astype(np.float64).sum(0) for v in range(3)]
        # hundreds of terms added one by one: the rounding of a sum of some 100
        np.testing.assert_allclose(sums, wide, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("name", SETS)
def test_nats_gradient_and_sums_are_float64s_at_every_instruction_set(name: str) -> None:
    code = (
        "import importlib.util\n"
        f"spec = importlib.util.spec_from_file_location('step_cases', {__file__!r})\n"
        "cases = importlib.util.module_from_spec(spec); spec.loader.exec_module(cases)\n"
        "cases.close_at_this_set()\n"
    )
    environment = {**os.environ, "RECURRA_ISA": name}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


def test_the_bits_do_not_depend_on_threads_or_alignment() -> None:
    tokens, symbols = 700, 65
    logits, targets = drawn(tokens, symbols)
    moved = np.empty(logits.size + 1, np.float32)[1:].reshape(logits.shape)
    moved[:] = logits
    results = []
    for rows, threads in ((logits, 1), (logits, 2), (moved, 3)):
        gradient, sums = np.empty_like(logits), np.empty((symbols, symbols), np.float32)
        nats = kernels.nats(rows, targets, gradient=gradient, threads=threads)
        kernels.sum_rows(rows, np.maximum(targets, 0), sums, threads=threads)
        results.append((nats, gradient, sums))
    for nats, gradient, sums in results[1:]:
        assert np.array_equal(nats, results[0][0])
        assert np.array_equal(gradient, results[0][1])
        assert np.array_equal(sums, results[0][2])


def test_logits_that_overflow_the_exponential_give_finite_nats() -> None:
    logits = np.array([[1000.0, 0.0, -1000.0]] * 2, np.float32)
    assert kernels.nats(logits, np.array([1, 0])).tolist() == [1000.0, 0.0]


def test_a_logit_that_is_no_number_gives_nats_that_are_none() -> None:
    for symbols in (3, 40):
        logits = np.zeros((2, symbols), np.float32)
        logits[0, symbols - 1] = np.nan
        nats = kernels.nats(logits, np.array([0, 0]))
        assert np.isnan(nats[0])
        assert nats[1] == pytest.approx(np.log(symbols), abs=1e-6)


def test_an_id_out_of_range_is_an_error_that_names_it() -> None:
    logits = np.zeros((2, 3), np.float32)
    with pytest.raises(IndexError, match="id 3 is out of range: the table has 3 rows"):
        kernels.nats(logits, np.array([0, 3]))
    with pytest.raises(IndexError, match="id -2 is out of range"):
        kernels.nats(logits, np.array([0, -2]))
    with pytest.raises(IndexError, match="id -1 is out of range"):
        kernels.sum_rows(logits, np.array([0, -1]), logits.copy())


def test_arrays_that_do_not_fit_are_an_error_with_both_shapes() -> None:
    logits, targets = np.zeros((2, 3), np.float32), np.zeros(2, np.int64)
    with pytest.raises(ShapeError, match=r"logits must have two axes.* shape \(2,\)"):
        kernels.nats(logits[:, 0].copy(), targets)
    with pytest.raises(ShapeError, match=r"targets must have shape \(2,\) but has \(1,\)"):
        kernels.nats(logits, targets[:1])
    with pytest.raises(ShapeError, match=r"gradient must have shape \(2, 3\) but has \(3, 2\)"):
        kernels.nats(logits, targets, gradient=np.zeros((3, 2), np.float32))
    with pytest.raises(ShapeError, match=r"sums must have shape \(2, 3\) but has \(2, 4\)"):
        kernels.sum_rows(logits, targets, np.zeros((2, 4), np.float32))
