"""The loss over the symbols and sums of rows, against their formulas in float64."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

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
# tokens, hidden, symbols: one symbol, below and on the widths of vectors, one past them, enough for
# two threads, more tokens than a chunk holds, and so many symbols that a chunk is smaller
SIZES = [
    (1, 1, 1),
    (3, 2, 2),
    (5, 17, 4),
    (7, 3, 15),
    (4, 16, 16),
    (9, 8, 33),
    (700, 70, 65),
    (40, 530, 8000),
    (70, 3, 140_000),
]


class Drawn:
    """A projection of rows to logits of a standard deviation of 4; a fifth does not count."""

    def __init__(self, tokens: int, hidden: int, symbols: int) -> None:
        rng = np.random.default_rng(tokens * symbols)
        self.rows = rng.normal(size=(tokens, hidden)).astype(np.float32)
        self.weight = rng.normal(size=(symbols, hidden)).astype(np.float32)
        self.weight *= np.float32(4 * hidden**-0.5)
        self.bias = rng.normal(size=symbols).astype(np.float32)
        self.targets = rng.integers(0, symbols, tokens)
        self.targets[1::5] = kernels.NOT_COUNTED

    def nats(self, threads: int = 2) -> list[NDArray[np.float64]]:
        """The nats, and the gradients of a quarter of their sum: rows, weight, bias."""
        made = [np.full_like(one, np.nan) for one in (self.rows, self.weight, self.bias)]
        found = kernels.nats(
            self.rows,
            self.weight,
            self.bias,
            self.targets,
            scale=0.25,
            d_rows=made[0],
            d_weight=made[1],
            d_bias=made[2],
            threads=threads,
        )
        return [found, *(one.astype(np.float64) for one in made)]

    def expected(self) -> list[NDArray[np.float64]]:
        """The same by the formulas in float64."""
        rows, weight = self.rows.astype(np.float64), self.weight.astype(np.float64)
        log_p = log_softmax(rows @ weight.T + self.bias)
        tokens, counted = np.arange(len(rows)), self.targets >= 0
        nats = np.where(counted, -log_p[tokens, self.targets], 0)
        d = np.exp(log_p)
        d[tokens, self.targets] -= 1
        d *= 0.25 * counted[:, None]
        return [nats, d @ weight, d.T @ rows, d.sum(0)]


def log_softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    wide = logits - logits.max(1, keepdims=True)
    return np.asarray(wide - np.log(np.exp(wide).sum(1, keepdims=True)))


def close_at_this_set() -> None:
    """Every size against float64; what the processes of each instruction set run."""
    for sizes in SIZES:
        drawn = Drawn(*sizes)
        nats, *gradients = drawn.nats()
        expected, *d_expected = drawn.expected()
        # logits of some 20, sums of up to 530 terms in float32: a few of their last bits
        np.testing.assert_allclose(nats, expected, rtol=2e-6, atol=1e-5)
        for found, wide in zip(gradients, d_expected, strict=True):
            assert np.linalg.norm(found - wide) <= 2e-6 * np.linalg.norm(wide)
        alone = kernels.nats(drawn.rows, drawn.weight, drawn.bias, drawn.targets)
        assert np.array_equal(alone, nats)
        rows, ids = drawn.rows, np.arange(len(drawn.rows)) % 2 * 2  # none has id 1
        sums = np.full((3, rows.shape[1]), np.nan, np.float32)
        kernels.sum_rows(rows, ids, sums, threads=2)
        totals = [rows[ids == v].astype(np.float64).sum(0) for v in range(3)]
        # hundreds of terms added one by one: the rounding of a sum of some 30
        np.testing.assert_allclose(sums, totals, rtol=1e-5, atol=3e-5)


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
    drawn = Drawn(700, 70, 65)
    results: list[list[NDArray[Any]]] = []
    for threads in (1, 2, 3):
        if threads == 3:
            moved = np.empty(drawn.rows.size + 1, np.float32)[1:].reshape(drawn.rows.shape)
            moved[:] = drawn.rows
            drawn.rows = moved
        sums = np.empty((65, 70), np.float32)
        kernels.sum_rows(drawn.rows, np.maximum(drawn.targets, 0), sums, threads=threads)
        results.append([*drawn.nats(threads), sums])
    for other in results[1:]:
        for one, two in zip(results[0], other, strict=True):
            assert np.array_equal(one, two)


def test_without_sums_over_tokens_threads_wait_for_each_other_too() -> None:
    drawn = Drawn(515, 33, 700)
    results = []
    for threads in [1] + 20 * [8]:
        d_rows = np.empty_like(drawn.rows)
        nats = kernels.nats(
            drawn.rows, drawn.weight, drawn.bias, drawn.targets, d_rows=d_rows, threads=threads
        )
        results.append((nats, d_rows))
    for nats, d_rows in results[1:]:
        assert np.array_equal(nats, results[0][0])
        assert np.array_equal(d_rows, results[0][1])


def of_logits(logits: Floats, targets: Ids) -> NDArray[np.float64]:
    """The nats of a projection whose logits these are."""
    return kernels.nats(logits, np.eye(logits.shape[1], dtype=np.float32), None, targets)


def test_logits_that_overflow_the_exponential_give_finite_nats() -> None:
    logits = np.array([[1000.0, 0.0, -1000.0]] * 2, np.float32)
    assert of_logits(logits, np.array([1, 0])).tolist() == [1000.0, 0.0]


def test_a_logit_that_is_no_number_gives_nats_that_are_none() -> None:
    for symbols in (3, 40):
        rows = np.zeros((2, symbols), np.float32)
        rows[0, symbols - 1] = np.nan
        nats = of_logits(rows, np.array([0, 0]))
        assert np.isnan(nats[0])
        assert nats[1] == pytest.approx(np.log(symbols), abs=1e-6)


def test_no_token_leaves_gradients_of_zero() -> None:
    nothing, weight = np.zeros((0, 2), np.float32), np.ones((3, 2), np.float32)
    d_weight, d_bias = np.full_like(weight, np.nan), np.full(3, np.nan, np.float32)
    targets = np.zeros(0, np.int64)
    assert not kernels.nats(nothing, weight, None, targets, d_weight=d_weight, d_bias=d_bias).size
    assert not d_weight.any()
    assert not d_bias.any()


def test_an_id_out_of_range_is_an_error_that_names_it() -> None:
    logits = np.zeros((2, 3), np.float32)
    with pytest.raises(IndexError, match="id 3 is out of range: the table has 3 rows"):
        of_logits(logits, np.array([0, 3]))
    with pytest.raises(IndexError, match="id -2 is out of range"):
        of_logits(logits, np.array([0, -2]))
    with pytest.raises(IndexError, match="id -1 is out of range"):
        kernels.sum_rows(logits, np.array([0, -1]), logits.copy())


def test_arrays_that_do_not_fit_are_an_error_with_both_shapes() -> None:
    rows, weight = np.zeros((2, 3), np.float32), np.zeros((4, 3), np.float32)
    targets = np.zeros(2, np.int64)
    with pytest.raises(ShapeError, match=r"rows must have two axes.* shape \(2,\)"):
        kernels.nats(rows[:, 0].copy(), weight, None, targets)
    with pytest.raises(ShapeError, match=r"weight must have shape \(4, 3\) but has \(4, 2\)"):
        kernels.nats(rows, weight[:, :2].copy(), None, targets)
    with pytest.raises(ShapeError, match="weight must have a row for each symbol but has none"):
        kernels.nats(rows, weight[:0], None, targets)
    with pytest.raises(ShapeError, match=r"targets must have shape \(2,\) but has \(1,\)"):
        kernels.nats(rows, weight, None, targets[:1])
    with pytest.raises(ShapeError, match=r"d_rows must have shape \(2, 3\) but has \(3, 2\)"):
        kernels.nats(rows, weight, None, targets, d_rows=np.zeros((3, 2), np.float32))
    with pytest.raises(ShapeError, match=r"sums must have shape \(2, 3\) but has \(2, 4\)"):
        kernels.sum_rows(rows, targets, np.zeros((2, 4), np.float32))
