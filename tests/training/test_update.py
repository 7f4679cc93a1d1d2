"""The update natively and by torch's own optimizers: the same step, on the same state."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from recurra import kernels
from recurra.training import optimizers
from recurra.training.clipping import Clipped
from recurra.training.precision import Precision
from recurra.training.settings import OPTIMIZERS, Training
from recurra.training.update import update

needs_kernels = pytest.mark.skipif(
    kernels.why_missing() is not None, reason=f"no native kernels: {kernels.why_missing()}"
)
FLOAT32 = Precision("float32", torch.device("cpu"))
RATE = 0.05


class Weights(nn.Module):
    """A matrix, a bias, an empty one, and one that no loss reaches."""

    def __init__(self) -> None:
        super().__init__()
        rng = np.random.default_rng(1)
        self.matrix = nn.Parameter(torch.from_numpy(rng.normal(size=(70, 301))).float())
        self.bias = nn.Parameter(torch.from_numpy(rng.normal(size=17)).float())
        self.empty = nn.Parameter(torch.zeros(0, 3))
        self.unused = nn.Parameter(torch.ones(3))

    def draw_gradients(self, step: int) -> None:
        rng = np.random.default_rng(step)
        for parameter in (self.matrix, self.bias, self.empty):
            values = rng.normal(size=parameter.shape)
            parameter.grad = torch.from_numpy(values).to(parameter.dtype)


def _trained(
    settings: Training, steps: int, environment: pytest.MonkeyPatch, off: str, clips: Any
) -> tuple[Weights, torch.optim.Optimizer, list[Clipped]]:
    """After so many steps; `off` says of each whether it was torch's ('t') or native ('n')."""
    model = Weights()
    optimizer = optimizers.build(settings, model)
    found = []
    for step in range(steps):
        model.draw_gradients(step)
        optimizers.set_rate(optimizer, RATE / (1 + step))
        with environment.context() as context:
            if off[step % len(off)] == "t":
                context.setenv("RECURRA_KERNELS", "off")
            found.append(update(optimizer, settings.optimizer, FLOAT32, *clips))
    return model, optimizer, found


@needs_kernels
@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("clips", [(None, None), (10.0, None), (None, 1.0), (10.0, 1.0)])
def test_native_steps_and_torchs_are_the_same_on_the_same_state(
    name: str, clips: tuple[float | None, float | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Training(optimizer=name, learning_rate=RATE, weight_decay=0.1)
    torchs, torch_optimizer, expected = _trained(settings, 8, monkeypatch, "t", clips)
    for turns in ("n", "nt", "tn"):  # each goes on from what the other left
        model, optimizer, found = _trained(settings, 8, monkeypatch, turns, clips)
        for mine, other in zip(found, expected, strict=True):
            assert mine.norm == pytest.approx(other.norm, rel=1e-5)  # torch's is a float32 sum
            assert mine.cut == other.cut
        state = optimizers.state_tensors(optimizer, model)
        torch_state = optimizers.state_tensors(torch_optimizer, torchs)
        assert set(state) == set(torch_state)
        for key, value in torchs.named_parameters():
            assert_near(model.get_parameter(key).detach(), value.detach())
        for key, kept in torch_state.items():
            assert state[key].dtype == kept.dtype
            assert_near(state[key], kept)


def assert_near(found: Tensor, expected: Tensor) -> None:
    """Of numbers of about 1, moved by about 0.1 in eight steps whose roundings differ."""
    apart = found - expected
    assert float(apart.norm()) <= 2e-6 * max(1.0, float(expected.norm()))
    # Where a gradient and its decay cancel, rounding is a larger part of what is left.
    torch.testing.assert_close(apart, torch.zeros_like(apart), rtol=0, atol=1e-3)


@needs_kernels
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_parameter_without_a_gradient_is_left_out(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Training(optimizer=name, learning_rate=RATE)
    model, optimizer, _ = _trained(settings, 2, monkeypatch, "n", (None, None))
    assert torch.equal(model.unused, torch.ones(3))
    assert float(optimizer.state.get(model.unused, {}).get("step", 0)) == 0


@pytest.mark.parametrize("kernels_setting", ["on", "off"])
def test_a_gradient_that_is_not_finite_moves_nothing(
    kernels_setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECURRA_KERNELS", kernels_setting)
    model = Weights()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    optimizer = optimizers.build(Training(optimizer="adam"), model)
    model.draw_gradients(0)
    assert model.bias.grad is not None
    model.bias.grad[3] = torch.nan
    norm, cut = update(optimizer, "adam", FLOAT32, 1.0, 1.0)
    assert np.isnan(norm)
    assert not cut
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key])


def _no_native(*given: Any, **named: Any) -> tuple[float, bool]:
    raise AssertionError("the native update was called")


@pytest.mark.parametrize("what", ["float64", "transposed"])
def test_what_does_not_lie_as_the_kernels_read_it_is_torchs(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernels, "update", _no_native)
    weight: Tensor = torch.ones(3, 2, dtype=torch.float64 if what == "float64" else torch.float32)
    if what == "transposed":
        weight = weight.t()
    model = nn.ParameterDict({"weight": nn.Parameter(weight)})
    parameter = model["weight"]
    optimizer = optimizers.build(Training(optimizer="sgd", learning_rate=0.5, momentum=0.0), model)
    parameter.grad = torch.ones_like(parameter)
    update(optimizer, "sgd", FLOAT32, None, None)
    assert torch.equal(parameter.detach(), torch.full_like(parameter, 0.5))


@needs_kernels
def test_autograd_sees_that_the_weights_have_moved() -> None:
    model = Weights()
    loss = (model.bias * model.bias).sum()
    optimizer = optimizers.build(Training(optimizer="sgd"), model)
    model.draw_gradients(0)
    update(optimizer, "sgd", FLOAT32, None, None)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()  # type: ignore[no-untyped-call]


def test_without_a_gradient_nothing_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Weights()
    optimizer = optimizers.build(Training(), model)
    model.draw_gradients(0)
    optimizers.clear_gradients(optimizer)
    assert optimizers.gradients(optimizer) == []
    assert update(optimizer, Training().optimizer, FLOAT32, 1.0, None) == (0.0, False)
