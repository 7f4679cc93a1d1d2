"""Weight dropout: DropConnect on the weights that read the hidden state (merity2018)."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from recurra import cells
from recurra.errors import ConfigError
from recurra.layers.stack import Stack
from recurra.runtime.settings import NetworkSettings

T, B, IN, H = 6, 3, 4, 5
KEPT = 0.5  # 1 − the probability
FROM_INPUT = ("weight_ih",)


def stack(cell: str, probability: float) -> Stack:
    """Two layers in both directions, the same weights at every call."""
    return Stack(
        cells.load(cell),
        IN,
        H,
        num_layers=2,
        bidirectional=True,
        weight_dropout=probability,
        rng=np.random.default_rng(0),
    )


def x(dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(1).standard_normal((T, B, IN))).to(dtype)


def seeded(seed: int = 3) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def reads_hidden(name: str, weight: torch.Tensor) -> bool:
    return weight.dim() == 2 and name.rpartition(".")[2] not in FROM_INPUT


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("cell", cells.names())
def test_it_is_a_network_whose_recurrent_weights_are_masked_once_a_call(
    cell: str, dtype: torch.dtype
) -> None:
    dropped, plain = stack(cell, 1 - KEPT).to(dtype), stack(cell, 0.0).to(dtype)
    generator, masks = seeded(), {}
    with torch.no_grad():
        for name, weight in plain.named_parameters():
            if reads_hidden(name, weight):
                drawn = torch.empty(weight.shape, dtype=dtype).bernoulli_(KEPT, generator=generator)
                masks[name] = drawn / KEPT
                weight.mul_(masks[name])
    outputs, wanted = dropped(x(dtype), generator=seeded())[0], plain(x(dtype))[0]
    torch.testing.assert_close(outputs, wanted, rtol=0, atol=0)  # the same sums
    outputs.square().sum().backward()
    wanted.square().sum().backward()
    assert len(masks) >= 4  # two layers, two directions
    for (name, ours), theirs in zip(dropped.named_parameters(), plain.parameters(), strict=True):
        assert ours.grad is not None
        assert theirs.grad is not None
        expected = theirs.grad * masks.get(name, torch.ones(()))
        torch.testing.assert_close(ours.grad, expected, rtol=1e-6, atol=1e-6)  # a rounding a step


def test_ids_are_run_through_the_same_masked_weights_as_their_one_hot_vectors() -> None:
    made, ids = stack("lstm", 1 - KEPT).double(), torch.from_numpy(np.arange(T * B) % IN)
    ids = ids.reshape(T, B)
    vectors = torch.nn.functional.one_hot(ids, IN).double()
    ours, theirs = (
        made.forward_ids(ids, None, generator=seeded()),
        made(vectors, None, None, seeded()),
    )
    torch.testing.assert_close(ours[0], theirs[0], rtol=0, atol=1e-12)  # rounding


def test_nothing_is_dropped_once_training_is_over() -> None:
    made = stack("gru", 1 - KEPT)
    trained, plain = made(x(), generator=seeded())[0], made.eval()(x())[0]
    assert not torch.equal(trained, plain)
    torch.testing.assert_close(plain, stack("gru", 0.0)(x())[0], rtol=0, atol=0)


def test_masks_come_from_the_generator_alone() -> None:
    made = stack("rnn", 1 - KEPT)
    first, same, other = (made(x(), generator=seeded(seed))[0] for seed in (1, 1, 2))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    with pytest.raises(ConfigError, match=r"needs a torch\.Generator while training"):
        made(x())


def test_a_probability_outside_0_to_1_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"dropout = 1\.0: must be a probability"):
        stack("rnn", 1.0)
    with pytest.raises(ConfigError, match=r"weight_dropout = -0\.1: must be a probability"):
        NetworkSettings(weight_dropout=-0.1)
