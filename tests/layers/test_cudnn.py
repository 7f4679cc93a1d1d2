"""The way to cuDNN: what is handed to torch's call is the stack's network, in values and gradients.

torch runs the same call on the CPU, in float64, so the mapping is tested on any machine; only that
cuDNN takes it, and how exactly, needs a GPU.
"""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import torch
from torch import Tensor

from recurra import cells
from recurra.cells.lstm import LSTMCell
from recurra.layers import cudnn
from recurra.layers.stack import Stack

T, B, IN, H = 6, 4, 3, 5
WAYS = {"all": None, "lengths": [6, 2, 4, 1], "some empty": [3, 0, 6, 0]}
gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device here")


class OwnLSTM(LSTMCell):
    """A user's cell: torch cannot know what it overrides."""


@pytest.fixture
def routed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every stack goes to torch's call, whatever its device."""
    monkeypatch.setattr(cudnn, "takes", lambda cell, *tensors: True)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def stack_of(name: str, **settings: Any) -> Stack:
    stack = Stack(cells.load(name), IN, H, **settings).double()
    generator = seeded(1)
    with torch.no_grad():
        for value in stack.parameters():  # biases too
            value.copy_(0.5 * torch.randn(value.shape, generator=generator, dtype=value.dtype))
    return stack


def numbers(*shape: int, seed: int = 2) -> Tensor:
    return torch.randn(shape, generator=seeded(seed), dtype=torch.float64).requires_grad_()


def results(stack: Stack, *given: Any, lengths: Any, seed: int = 3, **more: Any) -> list[Tensor]:
    """Outputs, final states, and the gradients of every parameter and of what was `given`."""
    state = [numbers(2, B, H, seed=seed + i) for i in range(len(stack.initial_state(B)))]
    fields = len(stack.cell.State._fields)
    start = tuple(stack.cell.State(*one[:fields]) for one in state)
    limit = None if lengths is None else torch.tensor(lengths)
    call: Any = stack if given[0].is_floating_point() else stack.forward_ids
    outputs, final = call(*given, start, limit, **more)
    values = [outputs, *(field for one in final for field in one)]
    weights = [numbers(*one.shape, seed=9).to(one) for one in values]
    leaves = [*stack.parameters(), *state, *(one for one in given if one is not None)]
    leaves = [one for one in leaves if one.requires_grad]
    loss = sum((value * weight).sum() for value, weight in zip(values, weights, strict=True))
    assert isinstance(loss, Tensor)
    return [*values, *torch.autograd.grad(loss, leaves, allow_unused=True, materialize_grads=True)]


def assert_same(found: list[Tensor], expected: list[Tensor]) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        # float64, sums of at most a few hundred numbers near one
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)


def assert_routed_is_the_loop(
    monkeypatch: pytest.MonkeyPatch, stack: Stack, *given: Any, **more: Any
) -> None:
    expected = results(stack, *given, **more)
    monkeypatch.setattr(cudnn, "takes", lambda cell, *tensors: True)
    monkeypatch.setattr(type(stack.l0), "_unroll", None)  # the loop is not gone through
    assert_same(results(stack, *given, **more), expected)


@pytest.mark.parametrize("lengths", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("settings", [{}, {"num_layers": 2, "bidirectional": True}])
@pytest.mark.parametrize("name", cudnn.MODES)
def test_torchs_call_gives_the_loops_values_and_gradients(
    monkeypatch: pytest.MonkeyPatch, name: str, settings: dict[str, Any], lengths: Any
) -> None:
    stack = stack_of(name, **settings)
    assert_routed_is_the_loop(monkeypatch, stack, numbers(T, B, IN), lengths=lengths)


@pytest.mark.parametrize("embedding", [True, False], ids=["embedding", "one-hot"])
def test_ids_reach_torchs_call_as_their_rows(
    monkeypatch: pytest.MonkeyPatch, embedding: bool
) -> None:
    ids = torch.randint(IN, (T, B), generator=seeded())
    rows = numbers(7, IN) if embedding else None
    assert_routed_is_the_loop(monkeypatch, stack_of("gru"), ids, rows, lengths=[6, 2, 4, 1])


@pytest.mark.parametrize("locked", [False, True], ids=["plain", "locked"])
def test_dropout_between_layers_is_the_generators_here_too(
    monkeypatch: pytest.MonkeyPatch, locked: bool
) -> None:
    stack = stack_of("lstm", num_layers=3, dropout=0.4, locked_dropout=locked)
    x = numbers(T, B, IN)
    with torch.random.fork_rng():
        expected = results(stack, x, lengths=None, generator=seeded(5))
        monkeypatch.setattr(cudnn, "takes", lambda cell, *tensors: True)
        assert_same(results(stack, x, lengths=None, generator=seeded(5)), expected)


@pytest.mark.usefixtures("routed")
def test_nan_in_an_empty_sequence_reaches_no_gradient() -> None:
    stack, x = stack_of("gru"), numbers(T, B, IN).detach()
    x[:, 1] = torch.nan
    outputs, _ = stack(x, None, torch.tensor([6, 0, 3, 1]))
    outputs.sum().backward()
    assert not outputs.isnan().any()
    assert not any(one.grad.isnan().any() for one in stack.parameters() if one.grad is not None)


@pytest.mark.usefixtures("routed")
def test_a_learned_state_has_its_gradient_here_too() -> None:
    stack = stack_of("lstm", learned_state=True)
    outputs, _ = stack(numbers(T, B, IN))
    outputs.sum().backward()
    assert all(one.grad is not None and one.grad.abs().sum() > 0 for one in stack.parameters())


def test_nothing_on_the_cpu_goes_there() -> None:
    assert not cudnn.takes(cells.load("lstm"), numbers(1), ())


@gpu
def test_a_cell_of_the_users_own_and_one_that_torch_has_not_keep_the_loop() -> None:
    x = torch.zeros(1, device="cuda")
    assert cudnn.takes(cells.load("lstm"), x, [x])
    assert not cudnn.takes(OwnLSTM(), x, [x])
    assert not cudnn.takes(cells.load("gru_reset_before"), x, [x])


@gpu
@pytest.mark.parametrize("lengths", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("name", cudnn.MODES)
def test_a_gpu_gives_the_cpus_values_and_gradients(name: str, lengths: Any) -> None:
    settings: dict[str, Any] = {"num_layers": 2, "bidirectional": True}
    stack = stack_of(name, **settings)
    x = numbers(T, B, IN)
    expected, expected_state = stack(x, None, None if lengths is None else torch.tensor(lengths))
    weights = numbers(*expected.shape, seed=4)
    leaves = [x, *stack.parameters()]
    gradients = torch.autograd.grad((expected * weights).sum(), leaves)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of weights that are not in one piece
        there = stack_of(name, **settings).cuda()
        moved = x.detach().cuda().requires_grad_()
        outputs, state = there(moved, None, None if lengths is None else torch.tensor(lengths))
        found = torch.autograd.grad((outputs * weights.cuda()).sum(), [moved, *there.parameters()])
    assert_same([outputs.cpu(), *(one.cpu() for one in found)], [expected, *gradients])
    for one, other in zip(state, expected_state, strict=True):
        assert_same([field.cpu() for field in one], list(other))


@gpu
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=["half", "bfloat16"])
def test_half_precision_is_near_float32(dtype: torch.dtype) -> None:
    stack = stack_of("lstm", num_layers=2).float().cuda()
    x = numbers(T, B, IN).float().cuda()
    expected, _ = stack(x)
    with torch.autocast("cuda", dtype):
        outputs, _ = stack(x)
    assert outputs.dtype is dtype
    # bfloat16 has 8 bits, and a number passes through two layers of six steps
    torch.testing.assert_close(outputs.float(), expected, rtol=0, atol=0.05)
