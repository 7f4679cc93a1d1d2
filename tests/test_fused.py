"""The fused layer on torch: equal to the float64 reference in values and in every gradient."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest
import torch

from recurra import cells, fused, kernels
from recurra.cells.lstm import LSTMCell
from recurra.errors import ConfigError
from recurra.layers.stack import Stack

SETS = () if kernels.why_missing() else kernels.instruction_sets().available
pytestmark = pytest.mark.skipif(
    kernels.why_missing() is not None, reason=f"no native kernels: {kernels.why_missing()}"
)

# Relative L2 at T up to 50, the design's bounds: float32 rounds by 6e-8 an operation, and errors
# add up along a sequence; gradients take the way twice.
OUTPUTS, GRADIENTS = 1e-6, 1e-5


class Problem:
    """A float32 stack, its float64 double on the reference path, and inputs of both."""

    def __init__(self, rng: np.random.Generator, name: str, bidirectional: bool) -> None:
        self.rng = rng
        self.steps, self.batch = int(rng.integers(1, 51)), int(rng.choice([1, 2, 3, 7, 13, 50]))
        self.input_size = int(rng.integers(1, 20))
        self.hidden = int(rng.choice([1, 3, 4, 15, 16, 17, 33, 64, 100]))
        cell = cells.load(name)
        sizes = (cell, self.input_size, self.hidden)
        self.fused = Stack(*sizes, bidirectional=bidirectional, rng=rng)
        with torch.no_grad():
            for value in self.fused.parameters():
                noise = self._draw(*value.shape).float() * value.shape[-1] ** -0.5
                value.add_(0.1 * noise)
        self.reference = Stack(*sizes, bidirectional=bidirectional, rng=rng).double()
        self.reference.load_state_dict(self.fused.state_dict())
        self.shape = (self.batch, self.hidden)
        self.fields = len(cell.State._fields)
        self.directions = self.fused.num_directions

    def _draw(self, *shape: int) -> torch.Tensor:
        return torch.from_numpy(self.rng.normal(size=shape))

    def states(self) -> list[torch.Tensor]:
        return [0.5 * self._draw(*self.shape) for _ in range(self.fields * self.directions)]

    def compare(self, lengths: torch.Tensor | None, ids: torch.Tensor | None) -> None:
        """Asserts that outputs, final states and all gradients agree."""
        symbols = self.steps * self.batch
        x = self._draw(*((self.steps, self.batch) if ids is None else (symbols,)), self.input_size)
        state = self.states()
        above = [self._draw(self.steps, self.batch, self.directions * self.hidden), *self.states()]
        (values, gradients), (wanted, wanted_gradients) = (
            _outcome(stack, x, state, above, lengths, ids, self.fields)
            for stack in (self.fused, self.reference)
        )
        for found, expected in zip(values, wanted, strict=True):
            assert _distance(found, expected) <= OUTPUTS
        for found, expected in zip(gradients, wanted_gradients, strict=True):
            assert _distance(found, expected) <= GRADIENTS


def _outcome(
    stack: Stack,
    x: torch.Tensor,
    state: list[torch.Tensor],
    above: list[torch.Tensor],
    lengths: torch.Tensor | None,
    ids: torch.Tensor | None,
    fields: int,
) -> tuple[list[torch.Tensor], tuple[torch.Tensor, ...]]:
    like = next(stack.parameters())
    leaves = [one.to(like.dtype, copy=True).requires_grad_() for one in (x, *state)]
    start = tuple(tuple(leaves[i : i + fields]) for i in range(1, len(leaves), fields))
    if ids is None:
        outputs, final = stack(leaves[0], start, lengths)
    else:
        outputs, final = stack.forward_ids(ids, leaves[0], start, lengths)
    values = [outputs, *(one for layer in final for one in layer)]
    loss = sum((a * b.to(like.dtype)).sum() for a, b in zip(values, above, strict=True))
    assert isinstance(loss, torch.Tensor)
    gradients = torch.autograd.grad(loss, [*leaves, *stack.parameters()])
    return [value.detach() for value in values], gradients


def _distance(found: torch.Tensor, expected: torch.Tensor) -> float:
    """Relative L2; absolute where nothing is expected, and for a single number below one.

    With H = 1 a weight's gradient is one sum over T·B terms around one, which may cancel to nearly
    nothing: relative to that, no float32 sum has a bound (torch's own loop misses ours there too).
    """
    size = float(expected.norm())
    if expected.numel() == 1:
        size = max(size, 1.0)
    return float((found.double() - expected).norm()) / (size or 1.0)


@pytest.mark.parametrize("name", kernels.names())
def test_a_fused_layer_equals_the_float64_reference_in_values_and_gradients(name: str) -> None:
    rng = np.random.default_rng(0)
    for case in range(6):
        problem = Problem(rng, name, bidirectional=case % 2 == 1)
        lengths = torch.from_numpy(rng.integers(0, problem.steps + 1, problem.batch))
        ids = torch.from_numpy(
            rng.integers(0, problem.steps * problem.batch, (problem.steps, problem.batch))
        )
        problem.compare(lengths if case >= 2 else None, ids if case >= 4 else None)


@pytest.mark.slow
@pytest.mark.parametrize("name", kernels.names())
@pytest.mark.parametrize("instructions", SETS)
def test_many_random_layers_agree_at_every_instruction_set(name: str, instructions: str) -> None:
    code = (
        "import importlib.util, sys, numpy as np, torch\n"
        f"spec = importlib.util.spec_from_file_location('fused_cases', {__file__!r})\n"
        "cases = importlib.util.module_from_spec(spec); spec.loader.exec_module(cases)\n"
        "torch.set_num_threads(2); rng = np.random.default_rng(7)\n"
        "for case in range(56):\n"
        f"    problem = cases.Problem(rng, {name!r}, case % 2 == 1)\n"
        "    steps, batch = problem.steps, problem.batch\n"
        "    lengths = torch.from_numpy(rng.integers(0, steps + 1, batch))\n"
        "    ids = torch.from_numpy(rng.integers(0, steps * batch, (steps, batch)))\n"
        "    problem.compare(lengths if case % 3 else None, ids if case % 4 == 3 else None)\n"
    )
    environment = {**os.environ, "RECURRA_ISA": instructions}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


def _lstm(hidden: int = 6) -> tuple[Stack, torch.Tensor]:
    return Stack(LSTMCell(), 4, hidden), torch.from_numpy(
        np.random.default_rng(1).normal(size=(5, 3, 4)).astype(np.float32)
    )


def _is_fused(value: torch.Tensor) -> bool:
    assert value.grad_fn is not None
    return "_Sequence" in value.grad_fn.name()


def test_our_own_cells_take_the_kernel_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    stack, x = _lstm()
    assert _is_fused(stack(x)[0])
    monkeypatch.setenv("RECURRA_KERNELS", "off")
    assert not _is_fused(stack(x)[0])


def test_a_users_subclass_float64_and_autocast_take_the_reference() -> None:
    class Mine(LSTMCell):
        pass

    stack, x = _lstm()
    assert not _is_fused(Stack(Mine(), 4, 6)(x)[0])
    assert not _is_fused(_lstm()[0].double()(x.double())[0])
    with torch.autocast("cpu", torch.bfloat16):
        assert not _is_fused(stack(x)[0])


def test_without_gradients_the_values_are_the_same_bits() -> None:
    """33 steps of 21 sequences: x_gates come in several chunks, the last one short."""
    x, lengths = torch.randn(33, 21, 5), torch.randint(0, 34, (21,))
    for name in kernels.names():
        stack = Stack(cells.load(name), 5, 18, bidirectional=True)
        outputs = stack(x, None, lengths)[0]
        with torch.no_grad():
            assert torch.equal(stack(x, None, lengths)[0], outputs)


@pytest.mark.parametrize("name", kernels.names())
def test_a_second_backward_through_a_kept_graph_gives_the_same_bits(name: str) -> None:
    stack, x = Stack(cells.load(name), 4, 6), _lstm()[1]
    loss = stack(x)[0].square().sum()
    parameters = list(stack.parameters())
    once = torch.autograd.grad(loss, parameters, retain_graph=True)
    twice = torch.autograd.grad(loss, parameters)
    assert all(torch.equal(a, b) for a, b in zip(once, twice, strict=True))


def test_gradients_have_the_same_bits_from_call_to_call_wherever_the_input_lies() -> None:
    stack, x = Stack(LSTMCell(), 33, 70), torch.randn(20, 9, 33)
    parameters = list(stack.parameters())
    first = torch.autograd.grad(stack(x)[0].square().sum(), parameters)
    for offset in (1, 2, 5):
        moved = torch.empty(x.numel() + offset)[offset:].view_as(x).copy_(x)
        again = torch.autograd.grad(stack(moved)[0].square().sum(), parameters)
        recurrent = 1  # weight_hh: torch's GEMM over x may itself look at where x lies
        assert torch.equal(first[recurrent], again[recurrent])


def test_a_gradient_of_the_final_state_alone_is_enough() -> None:
    stack, x = _lstm()
    double, wide = _lstm()[0].double(), x.double()
    double.load_state_dict(stack.state_dict())
    found = torch.autograd.grad(stack(x)[1][0].cell.sum(), list(stack.parameters()))
    wanted = torch.autograd.grad(double(wide)[1][0].cell.sum(), list(double.parameters()))
    for one, other in zip(found, wanted, strict=True):
        assert _distance(one, other) <= GRADIENTS


def test_a_second_derivative_is_an_error_that_says_what_to_do() -> None:
    stack, x = _lstm()
    with pytest.raises(ConfigError, match=r"no second derivative .* RECURRA_KERNELS=off"):
        torch.autograd.grad(stack(x)[0].sum(), list(stack.parameters()), create_graph=True)


def test_what_stands_in_the_padding_changes_no_output_not_even_nan() -> None:
    stack = Stack(LSTMCell(), 4, 6, bidirectional=True, num_layers=2)
    x, lengths = _lstm()[1], torch.tensor([5, 0, 2])
    spoiled = x.clone()
    for b, length in enumerate(lengths.tolist()):
        spoiled[length:, b] = torch.nan
    assert torch.equal(stack(x, lengths=lengths)[0], stack(spoiled, lengths=lengths)[0])


def test_a_forked_child_runs_the_kernels_on_threads_as_its_parent_did() -> None:
    _in_a_process_of_two_threads("cases.fork()")


def test_a_stack_runs_in_a_forked_worker_that_has_one_thread() -> None:
    """As DataLoader's workers are."""
    _in_a_process_of_two_threads("cases.fork_stack()")


def _in_a_process_of_two_threads(call: str) -> None:
    code = (
        "import importlib.util\n"
        f"spec = importlib.util.spec_from_file_location('fused_cases', {__file__!r})\n"
        "cases = importlib.util.module_from_spec(spec); spec.loader.exec_module(cases)\n"
        f"{call}\n"
    )
    # two, whatever is set here: with one no OpenMP thread exists that a child could wait for
    environment = {**os.environ, "OMP_NUM_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, timeout=120
    )
    assert done.returncode == 0, done.stderr.decode()


def _same_in_a_child(run: Callable[[], float]) -> None:
    here = run()
    context = multiprocessing.get_context("fork")
    mine, theirs = context.Pipe()
    child = context.Process(target=lambda: theirs.send(run()))
    child.start()
    child.join(60)
    assert child.exitcode == 0, f"the child ended with {child.exitcode}"
    assert mine.recv() == here


def fork() -> None:
    """The kernels on two threads here and in a child. NumPy: torch's own threads hang there."""
    weights = {"weight_hh": 0.1 * np.tile(np.eye(64, dtype=np.float32), (4, 1))}
    x_gates = np.ones((20, 32, 256), np.float32)
    state = (np.zeros((32, 64), np.float32), np.zeros((32, 64), np.float32))

    def run() -> float:
        outputs = np.empty((20, 32, 64), np.float32)
        final = [np.empty_like(one) for one in state]
        for _ in range(50):
            kernels.forward("lstm", x_gates, weights, state, outputs, final, threads=2)
        return float(outputs.sum())

    _same_in_a_child(run)


def fork_stack() -> None:
    """A stack trained on two threads here, then on one in a child: the same outputs."""
    stack, x = Stack(LSTMCell(), 64, 64), torch.ones(20, 32, 64)
    stack(x)[0].sum().backward()
    parent = os.getpid()

    def run() -> float:
        if os.getpid() != parent:
            torch.set_num_threads(1)
        with torch.no_grad():
            return float(stack(x)[0][-1, -1].sum())

    _same_in_a_child(run)


def test_takes_looks_at_every_tensor() -> None:
    cell, one = LSTMCell(), torch.ones(2, 2)
    assert fused.takes(cell, one, one)
    assert not fused.takes(cell, one, None, one)
    assert not fused.takes(cell, one, one.double())
    assert not fused.takes(cell, torch.ones(0, 2))
