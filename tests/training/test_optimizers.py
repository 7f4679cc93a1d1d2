"""The optimizers against their published formulas in NumPy float64, and their state to and fro."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from recurra.errors import RunError
from recurra.training import optimizers
from recurra.training.settings import OPTIMIZERS, Training

Vector = NDArray[np.float64]
Formula = Callable[[list[Vector], Vector, float], Vector]

RATE = 0.1


def _adam(gradients: list[Vector], weight: Vector, decay: float) -> Vector:
    m, v = np.zeros_like(weight), np.zeros_like(weight)
    for t, gradient in enumerate(gradients, 1):
        g = gradient + decay * weight
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        weight = weight - RATE * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    return weight


def _adamw(gradients: list[Vector], weight: Vector, decay: float) -> Vector:
    m, v = np.zeros_like(weight), np.zeros_like(weight)
    for t, g in enumerate(gradients, 1):
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        step = (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        weight = weight - RATE * decay * weight - RATE * step
    return weight


def _adagrad(gradients: list[Vector], weight: Vector, decay: float) -> Vector:
    memory = np.zeros_like(weight)
    for gradient in gradients:
        g = gradient + decay * weight
        memory = memory + g * g
        weight = weight - RATE * g / np.sqrt(memory + 1e-8)
    return weight


def _rmsprop(gradients: list[Vector], weight: Vector, decay: float) -> Vector:
    square = np.zeros_like(weight)
    for gradient in gradients:
        g = gradient + decay * weight
        square = 0.95 * square + 0.05 * g * g
        weight = weight - RATE * g / (np.sqrt(square) + 1e-8)
    return weight


def _sgd(gradients: list[Vector], weight: Vector, decay: float) -> Vector:
    velocity = np.zeros_like(weight)
    for gradient in gradients:
        velocity = 0.8 * velocity + gradient + decay * weight
        weight = weight - RATE * velocity
    return weight


FORMULAS: dict[str, Formula] = {
    "adam": _adam,
    "adamw": _adamw,
    "adagrad": _adagrad,
    "rmsprop": _rmsprop,
    "sgd": _sgd,
}


class TwoWeights(nn.Module):
    """A matrix and a bias, in float64."""

    def __init__(self) -> None:
        super().__init__()
        rng = np.random.default_rng(1)
        self.matrix = nn.Parameter(torch.from_numpy(rng.standard_normal((2, 3))))
        self.bias = nn.Parameter(torch.from_numpy(rng.standard_normal(3)))


def _settings(name: str, **changes: Any) -> Training:
    return Training(optimizer=name, learning_rate=RATE, momentum=0.8, **changes)


def _steps(
    model: nn.Module, optimizer: torch.optim.Optimizer, gradients: list[dict[str, Vector]]
) -> None:
    for step in gradients:
        for name, parameter in model.named_parameters():
            parameter.grad = torch.from_numpy(step[name])
        optimizers.set_rate(optimizer, RATE)
        optimizer.step()


def _gradients(count: int) -> list[dict[str, Vector]]:
    rng = np.random.default_rng(2)
    return [
        {"matrix": rng.standard_normal((2, 3)), "bias": rng.standard_normal(3)}
        for _ in range(count)
    ]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_where_no_decay_is_given_adamw_alone_has_one(name: str) -> None:
    model = TwoWeights()
    groups = optimizers.build(_settings(name), model).param_groups
    decays = {id(one): group["weight_decay"] for group in groups for one in group["params"]}
    expected = 0.1 if name == "adamw" else 0.0
    assert decays[id(model.get_parameter("matrix"))] == expected
    assert decays[id(model.get_parameter("bias"))] == 0.0


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_five_steps_are_the_published_formula_and_biases_do_not_decay(name: str) -> None:
    model, gradients = TwoWeights(), _gradients(5)
    start = {key: value.detach().numpy().copy() for key, value in model.named_parameters()}
    _steps(model, optimizers.build(_settings(name, weight_decay=0.3), model), gradients)
    for key, decay in (("matrix", 0.3), ("bias", 0.0)):
        expected = FORMULAS[name]([step[key] for step in gradients], start[key], decay)
        # Five float64 steps of a few operations each: 1e-12 leaves room for another order of them.
        found = model.get_parameter(key).detach().numpy()
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


def test_a_weight_without_a_gradient_stays_under_adagrad() -> None:
    model = TwoWeights()
    before = model.matrix.detach().clone()
    zero = {"matrix": np.zeros((2, 3)), "bias": np.zeros(3)}
    _steps(model, optimizers.build(_settings("adagrad"), model), [zero])
    assert torch.equal(model.matrix, before)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_goes_on_from_its_saved_state_bit_for_bit(name: str) -> None:
    gradients = _gradients(6)
    whole, half = TwoWeights(), TwoWeights()
    _steps(whole, optimizers.build(_settings(name), whole), gradients)
    first = optimizers.build(_settings(name), half)
    _steps(half, first, gradients[:3])
    saved = {
        key: torch.tensor(value.numpy())
        for key, value in optimizers.state_tensors(first, half).items()
    }
    assert saved, "every optimizer remembers something"
    second = optimizers.build(_settings(name), half)
    optimizers.restore(second, name, half, saved)
    _steps(half, second, gradients[3:])
    for key, value in whole.named_parameters():
        assert torch.equal(value, half.get_parameter(key))


@pytest.mark.parametrize(
    ("key", "shape"),
    [
        ("matrix/exp_avg", (3, 2)),
        ("matrix/pickle", (2, 3)),
        ("other/exp_avg", (2, 3)),
        ("bias/step", (1,)),
    ],
)
def test_state_of_another_model_is_refused(key: str, shape: tuple[int, ...]) -> None:
    model = TwoWeights()
    optimizer = optimizers.build(_settings("adam"), model)
    with pytest.raises(RunError, match=f"state of adam does not fit the model: {key}"):
        optimizers.restore(optimizer, "adam", model, {key: torch.zeros(shape, dtype=torch.float64)})


def test_state_that_lacks_a_part_is_refused() -> None:
    model = TwoWeights()
    optimizer = optimizers.build(_settings("adam"), model)
    with pytest.raises(RunError, match="state of adam is incomplete for bias"):
        optimizers.restore(
            optimizer, "adam", model, {"bias/exp_avg": torch.zeros(3, dtype=torch.float64)}
        )


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("bias/exp_avg", torch.zeros(3)),
        ("bias/step", torch.zeros((), dtype=torch.int64)),
    ],
)
def test_state_of_another_type_is_refused(key: str, value: torch.Tensor) -> None:
    model = TwoWeights()
    optimizer = optimizers.build(_settings("adam"), model)
    with pytest.raises(RunError, match=f"state of adam does not fit the model: {key}"):
        optimizers.restore(optimizer, "adam", model, {key: value})
