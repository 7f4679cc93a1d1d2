"""What of RNN, LSTM and GRU stays torch.nn's: the class, its copies, refusals, and all that the
kernels do not cover."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

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


def _with(weight: str, shape: tuple[int, ...]) -> Callable[[nn.RNNBase], None]:
    return lambda module: setattr(module, weight, nn.Parameter(torch.zeros(shape)))


@needs_kernels
@pytest.mark.parametrize("name", ["RNN", "GRU"])  # torch's own LSTM reads past such weights
@pytest.mark.parametrize(
    "change",
    [
        _with("weight_hh_l0", (3, 3)),
        _with("weight_ih_l1", (2, 2)),
        _with("weight_ih_l0", (5, 21)),  # (21, 5) turned
        _with("bias_hh_l1", (2,)),
        lambda module: setattr(module, "hidden_size", 600),
    ],
    ids=["weight_hh", "weight_ih", "turned", "bias_hh", "hidden_size"],
)
def test_weights_of_other_sizes_are_refused_in_torch_s_words(
    name: str, change: Callable[[nn.RNNBase], None]
) -> None:
    errors = []
    for module in pair(name, 5, 7, 2):
        change(module)
        with pytest.raises(RuntimeError) as caught:
            module(torch.ones(4, 3, 5))
        errors.append(str(caught.value))
    assert errors[0] == errors[1]


@pytest.mark.parametrize("name", THEIRS)
@pytest.mark.parametrize("weight", ["weight_ih_l0", "weight_hh_l1", "weight_ih_l1_reverse"])
def test_a_weight_made_none_is_refused_in_torch_s_words(name: str, weight: str) -> None:
    errors = []
    for module in pair(name, 5, 7, 2, bidirectional=True):
        setattr(module, weight, None)
        with pytest.raises((TypeError, AttributeError)) as caught:
            module(torch.ones(4, 3, 5))
        errors.append(str(caught.value))
    assert errors[0] == errors[1]


@needs_kernels
@pytest.mark.parametrize(
    "sizes_and_order",
    [
        ([2, 2, 1], torch.tensor([1, 0], dtype=torch.int32), torch.tensor([1, 0]).int()),
        ([2, 2, 1], torch.tensor([0]), torch.tensor([0])),  # of two sequences
        ([2, 2, 1], None, torch.tensor([1, 0])),
        ([2, 2, 1], torch.tensor([1, 1]), torch.tensor([1, 1])),
        ([2, 2, 1], torch.tensor([1, 0]), torch.tensor([0, 1])),
        ([2, 2, 0], None, None),
        ([2, 2], None, None),  # of five rows
    ],
    ids=["int32", "short", "one of two", "twice", "not the inverse", "a step of none", "rows left"],
)
def test_sequences_packed_by_hand_give_what_torch_gives(
    sizes_and_order: tuple[list[int], Tensor | None, Tensor | None],
) -> None:
    sizes, there, back = sizes_and_order
    packed = PackedSequence(torch.randn(5, 5), torch.tensor(sizes), there, back)
    theirs, mine = pair("GRU", 5, 7)
    for one, other in zip(tensors(theirs(packed)), tensors(mine(packed)), strict=True):
        assert torch.equal(one, other)  # it is torch that ran


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
