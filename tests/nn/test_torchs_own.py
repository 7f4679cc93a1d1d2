"""What of RNN, LSTM and GRU stays torch.nn's: the class, its copies, refusals, and all that the
kernels do not cover."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import recurra.nn as ours
from recurra import kernels
from tests.nn.beside_torch import (
    THEIRS,
    needs_kernels,
    pair,
    tensors,
)


# torch's own word on projections, whichever class they are in
@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported:UserWarning")
@needs_kernels
@pytest.mark.parametrize(
    ("options", "change"),
    [
        ({"proj_size": 3}, lambda module: module),
        ({}, lambda module: module.double()),
        ({}, lambda module: module.bfloat16()),
    ],
    ids=["proj_size", "float64", "bfloat16"],
)
def test_what_the_kernels_do_not_cover_is_torch_s_to_the_last_bit(
    options: dict[str, int],
    change: Callable[[nn.Module], nn.Module],
    fused_calls: list[kernels.Kind],
) -> None:
    theirs, mine = (change(module) for module in pair("LSTM", 5, 7, 2, **options))
    x = torch.randn(6, 4, 5, dtype=next(mine.parameters()).dtype)
    for one, other in zip(tensors(theirs(x)), tensors(mine(x)), strict=True):
        assert torch.equal(one, other)
    assert not fused_calls


@pytest.mark.parametrize("name", THEIRS)
@pytest.mark.parametrize(
    "shapes",
    [
        [(6, 4, 3)],  # another input size
        [(6,)],
        [(6, 4, 5), (1, 4, 7)],  # a state of one layer for two
        [(6, 4, 5), (2, 3, 7)],
        [(6, 5), (2, 4, 7)],  # a batched state for a single sequence
    ],
    ids=str,
)
def test_what_torch_refuses_is_refused_in_torch_s_words(
    name: str, shapes: list[tuple[int, ...]]
) -> None:
    theirs, mine = pair(name, 5, 7, 2)
    x, *state = (torch.zeros(shape) for shape in shapes)
    given = [(state[0], state[0]) if name == "LSTM" else state[0]] if state else []
    errors = []
    for module in (theirs, mine):
        with pytest.raises((RuntimeError, ValueError)) as caught:
            module(x, *given)
        errors.append((caught.type, str(caught.value)))
    assert errors[0] == errors[1]


@pytest.mark.parametrize("name", THEIRS)
def test_it_is_torch_s_class_with_torch_s_weights_in_torch_s_start(name: str) -> None:
    torch.manual_seed(3)
    theirs = THEIRS[name](5, 7, 2, bidirectional=True)
    torch.manual_seed(3)
    mine = getattr(ours, name)(5, 7, 2, bidirectional=True)
    assert isinstance(mine, THEIRS[name])
    assert repr(mine) == repr(theirs)
    expected = theirs.state_dict()
    assert list(mine.state_dict()) == list(expected)
    assert all(torch.equal(value, expected[key]) for key, value in mine.state_dict().items())


@pytest.mark.parametrize("name", THEIRS)
def test_a_deep_copy_and_a_loaded_state_give_the_same_output(name: str) -> None:
    mine = getattr(ours, name)(5, 7)
    x = torch.randn(6, 4, 5)
    buffer = io.BytesIO()
    torch.save(mine.state_dict(), buffer)
    buffer.seek(0)
    loaded = getattr(ours, name)(5, 7)
    loaded.load_state_dict(torch.load(buffer, weights_only=True))
    for other in (copy.deepcopy(mine), loaded):
        assert torch.equal(other(x)[0], mine(x)[0])


@pytest.mark.parametrize("recording", [False, True])
def test_what_a_function_transform_has_left_behind_is_read_as_torch_reads_it(
    recording: bool,
) -> None:
    theirs, mine = pair("RNN", 3, 4)
    kept: list[Tensor] = []

    def keep(x: Tensor) -> Tensor:
        kept.append(x)
        return x.sum()

    torch.func.grad(keep)(torch.randn(5, 2, 3))  # what it kept has no memory of its own
    with torch.set_grad_enabled(recording):
        torch.testing.assert_close(mine(kept[0]), theirs(kept[0]))
