"""The weights moved, against torch's optimizers in float64 on gradients clipped in float64."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from recurra import kernels
from recurra.errors import ShapeError

# none where the kernels are missing: then every test here is skipped
SETS = () if kernels.why_missing() else kernels.instruction_sets().available
pytestmark = pytest.mark.skipif(
    kernels.why_missing() is not None, reason=f"no native kernels: {kernels.why_missing()}"
)

Floats = NDArray[np.float32]
# Nothing; one number; below, on and past the widths of vectors; past one block of a sum; enough for
# two threads. All gradients together are some 190 long, none of their elements is above 6.
SIZES = (0, 1, 15, 16, 17, 5000, 30_001)
CLIPS = ((None, None), (None, 2.0), (100.0, None), (100.0, 2.0), (1e4, 50.0))  # norm, value
STEPS = 5
RATE = 0.01
SETTINGS: dict[str, dict[str, float]] = {
    "sgd": {"momentum": 0.8},
    "adam": {"momentum": 0.9, "square_decay": 0.999, "epsilon": 1e-8},
    "adamw": {"momentum": 0.9, "square_decay": 0.999, "epsilon": 1e-8},
    "adagrad": {"epsilon": 0.0},
    "rmsprop": {"square_decay": 0.95, "epsilon": 1e-8},
}
ADAGRAD_START = 1e-8  # of the sum of squares


class Case(NamedTuple):
    """An optimizer's step, asked for."""

    rule: str
    decay: float
    norm: float | None
    value: float | None


CASES = [
    Case(rule, decay, *clip)
    for rule in kernels.RULES
    for clip in CLIPS
    for decay in ((0.0, 0.3) if clip in CLIPS[::3] else (0.3,))
]


class Moved:
    """Weights and what an optimizer keeps of them, as `kernels.update` leaves them."""

    def __init__(self, case: Case, sizes: tuple[int, ...] = SIZES) -> None:
        rng = np.random.default_rng(3)
        self.case = case
        self.weights = [rng.normal(size=size).astype(np.float32) for size in sizes]
        self.momenta = [np.zeros_like(weight) for weight in self.weights]
        start = ADAGRAD_START if case.rule == "adagrad" else 0
        self.squares = [np.full_like(weight, start) for weight in self.weights]
        self.steps = [np.zeros((), np.float32) for _ in sizes]

    def step(self, gradients: list[Floats], threads: int) -> tuple[float, bool]:
        rows = zip(self.weights, gradients, self.momenta, self.squares, self.steps, strict=True)
        return kernels.update(
            self.case.rule,
            [number for row in rows for number in (*addresses(row), row[0].size)],
            [self.case.decay] * len(self.weights),
            rate=RATE,
            clip_norm=self.case.norm,
            clip_value=self.case.value,
            threads=threads,
            **SETTINGS[self.case.rule],
        )

    def arrays(self) -> list[Floats]:
        return [*self.weights, *self.momenta, *self.squares, *self.steps]


def addresses(arrays: tuple[Floats, ...]) -> list[int]:
    return [array.ctypes.data for array in arrays]


@cache
def drawn(step: int, sizes: tuple[int, ...] = SIZES) -> list[Floats]:
    rng = np.random.default_rng(step)
    return [rng.normal(size=size).astype(np.float32) for size in sizes]


def optimizer(case: Case, weights: list[torch.Tensor]) -> torch.optim.Optimizer:
    """Torch's, with the same settings."""
    if case.rule == "sgd":
        return torch.optim.SGD(weights, lr=RATE, weight_decay=case.decay, momentum=0.8)
    if case.rule == "adagrad":
        return torch.optim.Adagrad(
            weights,
            lr=RATE,
            weight_decay=case.decay,
            initial_accumulator_value=ADAGRAD_START,
            eps=0.0,
        )
    if case.rule == "rmsprop":
        return torch.optim.RMSprop(weights, lr=RATE, weight_decay=case.decay, alpha=0.95)
    kind = torch.optim.Adam if case.rule == "adam" else torch.optim.AdamW
    return kind(weights, lr=RATE, weight_decay=case.decay)


def clipped(
    gradients: list[Floats], case: Case
) -> tuple[list[NDArray[np.float64]], tuple[float, bool]]:
    """The gradients as the optimizer gets them; their norm before, and whether they differ."""
    wide = [gradient.astype(np.float64) for gradient in gradients]
    before = float(np.linalg.norm(np.concatenate(wide)))
    found: list[Any] = wide
    if case.value is not None:
        found = [np.clip(one, -case.value, case.value) for one in found]
    length = float(np.linalg.norm(np.concatenate(found)))
    if case.norm is not None and length > case.norm:
        found = [one * (case.norm / length) for one in found]
    cut = any(not np.array_equal(one, other) for one, other in zip(found, wide, strict=True))
    return found, (before, cut)


def as_torchs_in_float64(case: Case) -> None:
    moved, alone = Moved(case), Moved(case)
    torch.set_num_threads(1)
    weights = [torch.from_numpy(weight.astype(np.float64)) for weight in moved.weights]
    torchs = optimizer(case, weights)
    for step in range(STEPS):
        gradients = drawn(step)
        norm, cut = moved.step(gradients, threads=2)
        assert alone.step(gradients, threads=1) == (norm, cut)
        # Theirs are made of the gradients afterwards: the call has left them as they were.
        expected, (length, differ) = clipped(gradients, case)
        assert norm == pytest.approx(length, rel=1e-13)  # float64 sums of 35,000 terms
        assert cut == differ
        for weight, gradient in zip(weights, expected, strict=True):
            weight.grad = torch.from_numpy(gradient)
        torchs.step()
    for one, other in zip(moved.arrays(), alone.arrays(), strict=True):
        assert np.array_equal(one, other)
    assert moved.steps == [STEPS] * len(SIZES)
    for index, weight in enumerate(weights):
        assert_near(moved.weights[index], weight.numpy())
        for name, mine in (
            ("momentum_buffer", moved.momenta),
            ("exp_avg", moved.momenta),
            ("exp_avg_sq", moved.squares),
            ("square_avg", moved.squares),
            ("sum", moved.squares),
        ):
            if name in torchs.state[weight]:
                assert_near(mine[index], torchs.state[weight][name].numpy())


def assert_near(found: Floats, expected: NDArray[np.float64]) -> None:
    """Of some numbers of about 1, or of fewer, moved by about 0.1 in ten roundings a step."""
    apart = found - expected
    assert np.linalg.norm(apart) <= 1e-6 * max(1.0, float(np.linalg.norm(expected)))
    # Where a gradient and its decay cancel, rounding is a larger part of what is left.
    np.testing.assert_allclose(apart, 0, atol=1e-3)


def right_at_this_set() -> None:
    """Every case against torch in float64; what the processes of each instruction set run."""
    for case in CASES:
        try:
            as_torchs_in_float64(case)
        except AssertionError as error:
            raise AssertionError(case) from error


@pytest.mark.parametrize("name", SETS)
def test_every_rule_is_torchs_in_float64_at_every_instruction_set(name: str) -> None:
    code = (
        "import importlib.util\n"
        f"spec = importlib.util.spec_from_file_location('update_cases', {__file__!r})\n"
        "cases = importlib.util.module_from_spec(spec); spec.loader.exec_module(cases)\n"
        "cases.right_at_this_set()\n"
    )
    environment = {**os.environ, "RECURRA_ISA": name}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.parametrize("rule", kernels.RULES)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_norm_that_is_not_finite_changes_nothing(rule: str, bad: float) -> None:
    for at in (0, 30_000):  # in full vectors, and past them
        moved = Moved(Case(rule, 0.3, 1.0, 1.0))
        before = [array.copy() for array in moved.arrays()]
        gradients = [gradient.copy() for gradient in drawn(0)]
        gradients[-1][at] = bad
        norm, cut = moved.step(gradients, threads=2)
        assert not np.isfinite(norm)
        assert not cut
        for one, other in zip(moved.arrays(), before, strict=True):
            assert np.array_equal(one, other)


def test_gradients_whose_squares_float32_cannot_hold_are_not_finite_as_for_torchs_norm() -> None:
    for large, finite in ((3e18, True), (3e30, False)):
        moved = Moved(Case("adagrad", 0.0, None, None), sizes=(2,))
        before = [array.copy() for array in moved.arrays()]
        gradient = np.array([large, -large], np.float32)
        norm, _ = moved.step([gradient], threads=1)
        torchs = torch.linalg.vector_norm(torch.from_numpy(gradient))
        assert np.isfinite(norm) == bool(torch.isfinite(torchs)) == finite
        assert all(np.isfinite(array).all() for array in moved.arrays())
        same = [np.array_equal(*pair) for pair in zip(moved.arrays(), before, strict=True)]
        assert all(same) is not finite


def test_denormal_numbers_in_the_state_count_as_zero() -> None:
    moved = Moved(Case("adam", 0.0, None, None), sizes=(40,))
    before = moved.weights[0].copy()
    moved.momenta[0][:] = moved.squares[0][:] = 1e-40
    moved.step([np.zeros(40, np.float32)], threads=1)
    assert not moved.momenta[0].any()
    assert not moved.squares[0].any()
    assert np.array_equal(moved.weights[0], before)


@pytest.mark.parametrize("rule", kernels.RULES)
def test_nothing_to_move_has_norm_zero(rule: str) -> None:
    assert Moved(Case(rule, 0.3, 1.0, 1.0), sizes=()).step([], threads=2) == (0.0, False)
    nothing = [np.zeros(0, np.float32)]
    assert Moved(Case(rule, 0.3, 1.0, 1.0), sizes=(0,)).step(nothing, threads=2) == (0.0, False)


def test_each_parameter_has_its_own_count_of_steps() -> None:
    late = Moved(Case("adam", 0.0, None, None), sizes=(3, 3))
    late.steps[1][...] = 7
    weights = [torch.from_numpy(weight.astype(np.float64)) for weight in late.weights]
    torchs = optimizer(late.case, weights)
    gradients = drawn(0, (3, 3))
    for weight, gradient in zip(weights, gradients, strict=True):
        weight.grad = torch.from_numpy(gradient.astype(np.float64))
        zero: dict[str, Any] = {"exp_avg": torch.zeros_like(weight)}
        zero["exp_avg_sq"] = torch.zeros_like(weight)
        torchs.state[weight] = zero
    torchs.state[weights[0]]["step"] = torch.tensor(0.0)
    torchs.state[weights[1]]["step"] = torch.tensor(7.0)
    torchs.step()
    late.step(gradients, threads=1)
    assert late.steps == [1, 8]
    for mine, weight in zip(late.weights, weights, strict=True):
        np.testing.assert_allclose(mine, weight.numpy(), atol=3e-7)  # one float32 step


def test_numbers_that_do_not_fit_the_parameters_are_an_error() -> None:
    with pytest.raises(ShapeError, match="6 entries for each of 2 parameters but there are 6"):
        kernels.update("sgd", [0] * 6, [0.0, 0.0], rate=RATE)
