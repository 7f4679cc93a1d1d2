"""Dropout from a generator of the caller's."""

from __future__ import annotations

import pytest
import torch

from recurra.errors import ConfigError
from recurra.layers.dropout import Dropout


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_unit_is_zero_or_divided_by_the_share_that_is_kept() -> None:
    dropped = Dropout(0.2)(torch.ones(50, 20, 10), seeded())
    assert dropped.unique().tolist() == [0.0, 1.25]
    # 10,000 draws: the standard deviation of the share is 0.004; five of them
    assert abs((dropped == 0).double().mean() - 0.2) < 0.02


def test_the_mask_depends_on_the_generator_alone() -> None:
    x = torch.ones(5, 4, 8)
    torch.manual_seed(1)
    one = Dropout(0.5)(x, seeded(3))
    torch.manual_seed(2)
    assert torch.equal(Dropout(0.5)(x, seeded(3)), one)
    assert not torch.equal(Dropout(0.5)(x, seeded(4)), one)


def test_drawing_a_mask_leaves_the_generator_of_torch_where_it_was() -> None:
    before = torch.get_rng_state()
    Dropout(0.5)(torch.ones(5, 4, 8), seeded())
    assert torch.equal(torch.get_rng_state(), before)


def test_a_locked_mask_is_the_same_at_every_step_and_another_for_every_sequence() -> None:
    dropped = Dropout(0.5, locked=True)(torch.ones(7, 4, 64), seeded())
    assert torch.equal(dropped, dropped[:1].expand(7, 4, 64))
    assert not torch.equal(dropped[0, 0], dropped[0, 1])


def test_a_plain_mask_is_another_at_every_step() -> None:
    dropped = Dropout(0.5)(torch.ones(7, 4, 64), seeded())
    assert not torch.equal(dropped[0], dropped[1])


def test_the_gradient_passes_where_the_unit_did() -> None:
    x = torch.ones(5, 4, 8, requires_grad=True)
    dropped = Dropout(0.5)(x, seeded())
    (gradient,) = torch.autograd.grad(dropped.sum(), x)
    assert torch.equal(gradient, dropped.detach())


def test_nothing_is_dropped_in_eval_or_at_probability_zero_and_no_generator_is_needed() -> None:
    x = torch.ones(5, 4, 8)
    assert Dropout(0.5).eval()(x, None) is x
    assert Dropout(0.0)(x, None) is x


def test_training_without_a_generator_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"dropout = 0\.5 needs a torch\.Generator"):
        Dropout(0.5)(torch.ones(5, 4, 8), None)


@pytest.mark.parametrize("probability", [1.0, -0.1, float("nan")])
def test_a_probability_outside_its_range_is_an_error(probability: float) -> None:
    with pytest.raises(ConfigError, match=f"dropout = {probability}: must be a probability"):
        Dropout(probability)
