"""The conditional random field against enumeration of every tag sequence, in float64."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from recurra.errors import ConfigError, ShapeError
from recurra.layers.crf import ConditionalRandomField

STEPS, BATCH, TAGS = 4, 3, 3
LENGTHS = (4, 1, 3)


def _field(seed: int = 0) -> tuple[ConditionalRandomField, Tensor, Tensor]:
    """A field with drawn weights, emissions (T, B, K) and lengths."""
    rng = np.random.default_rng(seed)
    field = ConditionalRandomField(TAGS).double()
    with torch.no_grad():
        for weight in field.parameters():
            weight.copy_(torch.from_numpy(rng.normal(size=tuple(weight.shape))))
    emissions = torch.from_numpy(rng.normal(size=(STEPS, BATCH, TAGS)))
    return field, emissions, torch.tensor(LENGTHS)


def _score(
    field: ConditionalRandomField, emissions: NDArray[np.float64], tags: tuple[int, ...]
) -> float:
    """The score of one tag sequence by its definition; emissions (T, K) of one sequence."""
    start, moves, end = (weight.detach().numpy() for weight in field.parameters())
    total = start[tags[0]] + end[tags[-1]]
    total += sum(emissions[t, tag] for t, tag in enumerate(tags))
    return float(total + sum(moves[a, b] for a, b in itertools.pairwise(tags)))


def _all(length: int) -> list[tuple[int, ...]]:
    return list(itertools.product(range(TAGS), repeat=length))


def test_the_partition_function_is_the_sum_over_every_tag_sequence() -> None:
    field, emissions, lengths = _field()
    for b, length in enumerate(LENGTHS):
        alone = emissions[:length, b].numpy()
        wanted = np.log(sum(np.exp(_score(field, alone, tags)) for tags in _all(length)))
        assert field.log_partition(emissions, lengths)[b].item() == pytest.approx(wanted, abs=1e-12)


def test_the_probabilities_of_all_tag_sequences_sum_to_one() -> None:
    field, emissions, _ = _field()
    every = torch.tensor(_all(STEPS)).T  # (T, K^T)
    alone = emissions[:, :1].expand(STEPS, every.shape[1], TAGS)
    nats = field.nats(alone, every, torch.full((every.shape[1],), STEPS))
    assert float(torch.exp(-nats.detach()).sum()) == pytest.approx(1, abs=1e-12)


def test_viterbi_finds_the_best_of_every_tag_sequence() -> None:
    for seed in range(20):
        field, emissions, lengths = _field(seed)
        found = field.best(emissions, lengths)
        for b, length in enumerate(LENGTHS):
            alone = emissions[:length, b].numpy()
            wanted = max(_all(length), key=lambda tags: _score(field, alone, tags))
            assert tuple(found[:length, b].tolist()) == wanted
            assert not found[length:, b].any()


def test_padding_changes_nothing() -> None:
    field, emissions, lengths = _field()
    tags = torch.zeros(STEPS, BATCH, dtype=torch.int64)
    nats = field.nats(emissions, tags, lengths)
    emissions[1:, 1], emissions[3:, 2] = 1e3, -1e3
    tags[1:, 1] = 2
    assert torch.equal(field.nats(emissions, tags, lengths), nats)


def test_gradients_are_those_of_finite_differences() -> None:
    field, emissions, lengths = _field()
    tags = torch.tensor([[0, 1, 2], [1, 0, 2], [2, 0, 0], [0, 0, 1]])
    # gradcheck moves its inputs in place, and the field's weights are among them
    inputs = (emissions.requires_grad_(), *field.parameters())
    assert torch.autograd.gradcheck(lambda *_: field.nats(emissions, tags, lengths), inputs)


def test_without_transitions_it_is_a_softmax_at_each_step() -> None:
    _, emissions, lengths = _field()
    field = ConditionalRandomField(TAGS).double()
    tags = torch.randint(TAGS, (STEPS, BATCH), generator=torch.Generator().manual_seed(1))
    logs = emissions.log_softmax(-1)
    wanted = [
        -torch.stack([logs[t, b, tags[t, b]] for t in range(n)]).sum()
        for b, n in enumerate(LENGTHS)
    ]
    # float64 over four steps
    torch.testing.assert_close(
        field.nats(emissions, tags, lengths).detach(), torch.stack(wanted), rtol=0, atol=1e-12
    )


def test_wrong_shapes_and_lengths_are_told() -> None:
    field, emissions, lengths = _field()
    with pytest.raises(ShapeError, match=r"emissions must have shape .*3.* but has .*2"):
        field.log_partition(emissions[..., :2], lengths)
    with pytest.raises(ShapeError, match="lengths must be 1 to T=4 but reach from 0 to 4"):
        field.best(emissions, torch.tensor([4, 0, 1]))
    with pytest.raises(ShapeError, match="tags"):
        field.nats(emissions, torch.zeros(2, 3, dtype=torch.int64), lengths)
    with pytest.raises(ConfigError, match="tags = 0"):
        ConditionalRandomField(0)
