"""Gradients of the drop-ins where they come in an unusual form, and their bits."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import recurra.nn as ours
from recurra import kernels
from recurra.errors import ConfigError

pytestmark = pytest.mark.skipif(
    kernels.why_missing() is not None, reason=f"no native kernels: {kernels.why_missing()}"
)
GRADIENT = 2e-5  # a few hundred float32 terms around one, in another order than torch's


def pair(name: str, *sizes: int, **options: Any) -> tuple[nn.RNNBase, nn.RNNBase]:
    """torch's module and ours with the same weights."""
    theirs = getattr(nn, name)(*sizes, **options)
    mine = getattr(ours, name)(*sizes, **options)
    mine.load_state_dict(theirs.state_dict())
    return theirs, mine


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_gradients_that_are_one_number_or_turned_or_of_one_direction_are_torchs(
    name: str,
) -> None:
    """A sum gives one number for all outputs, a transpose rows that lie elsewhere."""
    x = torch.randn(9, 4, 5)
    weight = torch.randn(4, 9, 14)
    losses: list[Callable[[Tensor], Tensor]] = [
        lambda out: out.sum(),
        lambda out: (out.transpose(0, 1) * weight).sum(),
        lambda out: (out[..., 7:].transpose(0, 1) * weight[..., 7:]).sum(),
        lambda out: out.transpose(0, 2).exp().sum(),
    ]
    for batch_first, loss in itertools.product((False, True), losses):
        modules = pair(name, 5, 7, bidirectional=True, batch_first=batch_first)
        leaves = [x.clone().requires_grad_() for _ in modules]
        for module, leaf in zip(modules, leaves, strict=True):
            turned = leaf.transpose(0, 1) if batch_first else leaf
            out = module(turned)[0]
            loss(out.transpose(0, 1) if batch_first else out).backward()  # type: ignore[no-untyped-call]
        torch.testing.assert_close(leaves[1].grad, leaves[0].grad, rtol=1e-5, atol=GRADIENT)
        for one, own in zip(modules[0].parameters(), modules[1].parameters(), strict=True):
            torch.testing.assert_close(own.grad, one.grad, rtol=1e-5, atol=GRADIENT)


# Past the rows and the depth that the products take at once, and the tokens of a sum's chunk; many
# steps of few sequences, where only the products are shared out.
SIZES = {"LSTM": (70, 150, 5, 60), "GRU": (20, 450, 7, 45), "RNN": (530, 70, 1, 600)}


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("bidirectional", [False, True], ids=["one", "both"])
def test_layers_larger_than_any_block_have_torchs_values_and_gradients_in_float64(
    name: str, bidirectional: bool
) -> None:
    size, hidden, batch, steps = SIZES[name]
    mine = getattr(ours, name)(size, hidden, bidirectional=bidirectional)
    theirs = getattr(nn, name)(size, hidden, bidirectional=bidirectional).double()
    theirs.load_state_dict(mine.state_dict())
    given = torch.randn(steps, batch, size)
    weight = torch.randn(steps, batch, hidden * (1 + bidirectional))
    found = []
    for module in (mine, theirs):
        dtype = next(module.parameters()).dtype
        x = given.to(dtype, copy=True).requires_grad_()
        out = module(x)[0]
        (out * weight.to(dtype)).sum().backward()
        found.append([out, x.grad, *(one.grad for one in module.parameters())])
    for one, expected in zip(*found, strict=True):
        # float32 sums of some hundred terms, through tens to hundreds of steps
        distance = (one.double() - expected).norm() / expected.norm()
        assert distance < 3e-6


def test_gradients_have_the_same_bits_at_any_number_of_threads() -> None:
    found = []
    _, mine = pair("GRU", 20, 140)
    x = torch.randn(50, 13, 20)
    threads = torch.get_num_threads()
    try:
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            mine.zero_grad()
            mine(x)[0].square().sum().backward()
            found.append([one.grad for one in mine.parameters()])
    finally:
        torch.set_num_threads(threads)
    for other in found[1:]:
        for one, two in zip(found[0], other, strict=True):
            assert one is not None
            assert two is not None
            assert torch.equal(one, two)


def test_the_gradient_at_a_relu_of_nan_is_torch_s() -> None:
    x = torch.tensor([[[torch.nan, 1.0]], [[1.0, 1.0]]])
    found = []
    for module in pair("RNN", 2, 2, nonlinearity="relu"):
        given = x.clone().requires_grad_()
        module(given)[0].sum().backward()
        found.append([given.grad, module.bias_ih_l0.grad])
    for theirs, mine in zip(*found, strict=True):
        torch.testing.assert_close(mine, theirs, equal_nan=True)
        assert mine is not None
        assert mine.any()


def test_a_relu_that_is_closed_lets_no_gradient_through_inf_neither() -> None:
    for module in pair("RNN", 2, 2, nonlinearity="relu", bias=False):
        weight, recurrent = module.parameters()
        weight.data, recurrent.data = torch.eye(2), torch.zeros(2, 2)
        out, _ = module(torch.tensor([[[1.0, -1.0]]]))  # the second unit is closed
        out.backward(torch.tensor([[[1.0, torch.inf]]]))
        assert weight.grad is not None
        assert weight.grad.tolist() == [[1.0, -1.0], [0.0, 0.0]]


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_an_output_that_was_changed_in_place_is_an_error_that_says_what_to_do(name: str) -> None:
    output = getattr(ours, name)(5, 7)(torch.randn(4, 3, 5))[0]
    torch.relu_(output)
    with pytest.raises(RuntimeError, match=r"modified by an inplace .*on the output no relu_"):
        output.sum().backward()


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_many_gradients_at_once_are_an_error_that_says_what_to_do(name: str) -> None:
    x = torch.randn(4, 3, 5, requires_grad=True)
    output = getattr(ours, name)(5, 7)(x)[0]
    many = torch.randn(6, *output.shape)
    with pytest.raises(ConfigError, match=r"one gradient at a time.* RECURRA_KERNELS=off"):
        torch.autograd.grad(output, x, many, is_grads_batched=True)
