"""Clipping and averaging of weights, by hand and against torch's own clipping."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

from recurra.training.clipping import clip
from recurra.training.ema import Average


def test_a_long_gradient_is_scaled_to_the_norm_over_all_tensors() -> None:
    gradients = [torch.tensor([3.0, 0.0]), torch.tensor([[4.0]])]  # L2 norm 5
    assert clip(gradients, norm=2.5, value=None) == (5.0, True)
    assert torch.equal(gradients[0], torch.tensor([1.5, 0.0]))
    assert torch.equal(gradients[1], torch.tensor([[2.0]]))


def test_a_short_gradient_stays_to_the_last_bit() -> None:
    gradients = [torch.tensor([3.0, 0.0]), torch.tensor([[4.0]])]
    assert clip(gradients, norm=5.0, value=4.0) == (5.0, False)
    assert torch.equal(gradients[1], torch.tensor([[4.0]]))


def test_every_value_is_cut_and_the_norm_is_that_before() -> None:
    gradients = [torch.tensor([3.0, -12.0]), torch.tensor([[4.0]])]  # L2 norm 13
    assert clip(gradients, norm=None, value=3.5) == (13.0, True)
    assert torch.equal(gradients[0], torch.tensor([3.0, -3.5]))
    assert torch.equal(gradients[1], torch.tensor([[3.5]]))


def test_values_are_cut_before_the_norm_is_scaled() -> None:
    gradients = [torch.tensor([3.0]), torch.tensor([40.0])]
    clip(gradients, norm=2.5, value=4.0)  # (3, 4) has norm 5
    assert torch.equal(torch.cat(gradients), torch.tensor([1.5, 2.0]))


def test_clipping_by_norm_is_torchs() -> None:
    values = torch.from_numpy(np.random.default_rng(0).standard_normal(50).astype(np.float32))
    parameter = nn.Parameter(torch.zeros(50))
    parameter.grad = values.clone()
    norm = torch.nn.utils.clip_grad_norm_([parameter], 0.7)
    found = values.clone()
    assert clip([found], 0.7, None).norm == pytest.approx(float(norm), rel=1e-6)  # float32
    assert torch.allclose(found, parameter.grad, rtol=1e-5)  # torch adds 1e-6 to the norm


def test_a_gradient_that_is_not_finite_is_told_and_left() -> None:
    for bad in (math.nan, math.inf):
        gradients = [torch.tensor([1.0, bad])]
        norm, cut = clip(gradients, 1.0, 1.0)
        assert not math.isfinite(norm)
        assert not cut
        assert float(gradients[0][0]) == 1.0


def test_nothing_to_clip_has_norm_zero() -> None:
    assert clip([], 1.0, 1.0) == (0.0, False)
    assert clip([torch.zeros(0, 3)], None, 1.0) == (0.0, False)


def test_the_average_is_its_recurrence_and_leaves_the_model_as_it_was() -> None:
    model = nn.Linear(2, 1, dtype=torch.float64)
    average = Average(model, decay=0.25)
    expected = model.weight.detach().numpy().copy()
    for step in (1, 2, 3):
        with torch.no_grad():
            model.weight += step
        average.update(model, step)
        decay = min(0.25, (1 + step) / (10 + step))  # 2/11, 3/12, 0.25
        expected = decay * expected + (1 - decay) * model.weight.detach().numpy()
    last = model.weight.detach().clone()
    with average.applied(model):
        np.testing.assert_allclose(model.weight.detach().numpy(), expected, atol=1e-12)  # float64
    assert torch.equal(model.weight, last)
