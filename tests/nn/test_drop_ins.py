"""RNN, LSTM and GRU in place of torch.nn's: the same results, gradients and states."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pack_sequence

import recurra.nn as ours
from recurra import kernels
from tests.nn.beside_torch import (
    GRADIENT,
    OUTPUT,
    THEIRS,
    assert_same,
    needs_kernels,
    pair,
    tensors,
)

OPTIONS = [
    {"num_layers": layers, "bidirectional": both, "bias": bias, "batch_first": first}
    for layers, both, bias, first in itertools.product(
        (1, 3), (False, True), (True, False), (False, True)
    )
]


@needs_kernels
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("name", THEIRS)
@pytest.mark.parametrize("given", [False, True])
def test_a_batch_gives_what_torch_gives(
    name: str, options: dict[str, Any], given: bool, fused_calls: list[kernels.Kind]
) -> None:
    theirs, mine = pair(name, 5, 7, **options)
    x = torch.randn(4, 6, 5)
    batch = 4 if options["batch_first"] else 6
    depth = options["num_layers"] * (1 + options["bidirectional"])
    states = tuple(torch.randn(depth, batch, 7) for _ in range(2))
    state = (states if name == "LSTM" else states[0]) if given else None
    assert_same(theirs, mine, lambda module: module(x, state))
    assert len(fused_calls) == 2 * options["num_layers"]  # of the two forward passes


@needs_kernels
@pytest.mark.parametrize("name", THEIRS)
def test_a_single_sequence_without_a_batch_gives_what_torch_gives(
    name: str, fused_calls: list[kernels.Kind]
) -> None:
    theirs, mine = pair(name, 5, 7, 2, bidirectional=True, batch_first=True)
    x = torch.randn(6, 5)
    states = tuple(torch.randn(4, 7) for _ in range(2))
    assert_same(theirs, mine, lambda module: module(x))
    assert_same(theirs, mine, lambda module: module(x, states if name == "LSTM" else states[0]))
    assert fused_calls


@needs_kernels
@pytest.mark.parametrize("nonlinearity", ["tanh", "relu"])
def test_both_nonlinearities_of_the_rnn_are_torch_s(
    nonlinearity: str, fused_calls: list[kernels.Kind]
) -> None:
    theirs, mine = pair("RNN", 5, 7, nonlinearity=nonlinearity)
    x = torch.randn(6, 4, 5)
    assert_same(theirs, mine, lambda module: module(x))
    assert set(fused_calls) == {kernels.kind("rnn" if nonlinearity == "tanh" else "relu_rnn")}


@needs_kernels
@pytest.mark.parametrize("enforce_sorted", [True, False])
@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize("name", THEIRS)
def test_packed_sequences_come_back_packed_as_torch_packs_them(
    name: str, given: bool, enforce_sorted: bool, fused_calls: list[kernels.Kind]
) -> None:
    theirs, mine = pair(name, 5, 7, 2, bidirectional=True)
    lengths = [6, 4, 4, 1] if enforce_sorted else [1, 4, 6, 4]
    packed = pack_padded_sequence(torch.randn(6, 4, 5), lengths, enforce_sorted=enforce_sorted)
    states = tuple(torch.randn(4, 4, 7) for _ in range(2))
    state = (states if name == "LSTM" else states[0]) if given else None
    assert_same(theirs, mine, lambda module: module(packed, state))
    ours_out, theirs_out = mine(packed, state)[0], theirs(packed, state)[0]
    for field in ("batch_sizes", "sorted_indices", "unsorted_indices"):
        one, other = getattr(ours_out, field), getattr(theirs_out, field)
        assert (one is None and other is None) or torch.equal(one, other)
    assert fused_calls


@needs_kernels
@pytest.mark.parametrize("name", THEIRS)
def test_gradients_reach_input_and_state_as_torch_s_do(name: str) -> None:
    theirs, mine = pair(name, 5, 7, 2)
    found = []
    for module in (theirs, mine):
        torch.manual_seed(1)
        inputs = [torch.randn(6, 4, 5), torch.randn(2, 4, 7), torch.randn(2, 4, 7)]
        inputs = [one.requires_grad_() for one in inputs[: 3 if name == "LSTM" else 2]]
        x, *state = inputs
        results = tensors(module(x, tuple(state) if name == "LSTM" else state[0]))
        torch.stack([one.square().sum() for one in results]).sum().backward()  # type: ignore[no-untyped-call]
        found.append([one.grad for one in inputs])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(other, one, rtol=1e-5, atol=GRADIENT)


@needs_kernels
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("name", THEIRS)
def test_dropout_stands_between_layers_in_training_alone_with_torch_s_own_masks(
    name: str, batch_first: bool
) -> None:
    theirs, mine = pair(name, 5, 7, 3, dropout=0.5, batch_first=batch_first)
    x = torch.randn(6, 4, 5)

    def seeded(module: nn.RNNBase) -> Any:
        torch.manual_seed(2)
        return module(x)

    assert_same(theirs, mine, seeded)
    theirs.eval()
    mine.eval()
    assert_same(theirs, mine, seeded)


@needs_kernels
def test_weights_that_an_optimizer_moved_are_the_ones_that_are_used() -> None:
    theirs, mine = pair("GRU", 5, 7)
    x = torch.randn(6, 4, 5)
    for module in (theirs, mine):
        optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            module(x)[0].square().sum().backward()
            optimizer.step()
    torch.testing.assert_close(mine(x)[0], theirs(x)[0], rtol=0, atol=10 * OUTPUT)


@needs_kernels
def test_the_lecture_s_demo_gives_its_shapes() -> None:
    # vocabulary 10,000, hidden 10, 4 steps, batch 5
    words = torch.randint(0, 10_000, (4, 5))
    one_hot = nn.functional.one_hot(words, 10_000).float()
    output, hidden = ours.RNN(10_000, 10)(one_hot)
    assert output.shape == (4, 5, 10)
    assert hidden.shape == (1, 5, 10)
    assert torch.equal(output[-1], hidden[0])


@needs_kernels
def test_sequences_packed_from_a_list_are_each_as_if_alone() -> None:
    _, mine = pair("LSTM", 5, 7)
    sequences = [torch.randn(length, 5) for length in (2, 5, 3)]
    output, (hidden, _) = mine(pack_sequence(sequences, enforce_sorted=False))
    assert isinstance(output, PackedSequence)
    for index, sequence in enumerate(sequences):
        alone, (last, _) = mine(sequence)
        torch.testing.assert_close(hidden[:, index], last, rtol=0, atol=OUTPUT)
        assert len(alone) == len(sequence)


@needs_kernels
def test_a_large_lstm_takes_the_kernels_whether_it_is_trained_or_not(
    fused_calls: list[kernels.Kind],
) -> None:
    theirs, mine = pair("LSTM", 260, 330)  # off the vectors' width; weights halved between threads
    x = torch.randn(33, 32, 260)
    with torch.no_grad():
        output, _ = mine(x)
        torch.testing.assert_close(output, theirs(x)[0], rtol=0, atol=OUTPUT)
    mine(x)
    assert fused_calls == [kernels.kind("lstm")] * 2
