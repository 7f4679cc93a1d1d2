"""Pooling: each kind is its equation, and padding never counts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from recurra import cells
from recurra.errors import ConfigError, ShapeError
from recurra.layers.pooling import KINDS, Pooling, shapes
from recurra.layers.stack import Stack

T, B, H = 6, 4, 5
LENGTHS = torch.tensor([6, 1, 4, 2])


def pooled(kind: str, directions: int = 2) -> tuple[Pooling, torch.Tensor]:
    """A pooling in float64 and the outputs of a stack, zero past each length."""
    rng = np.random.default_rng(0)
    pooling = Pooling(kind, directions * H, directions, rng).double()
    if kind == "attention":
        with torch.no_grad():
            pooling.get_parameter("bias").copy_(torch.from_numpy(rng.normal(size=directions * H)))
    outputs = torch.from_numpy(rng.normal(size=(T, B, directions * H)))
    outputs[torch.arange(T)[:, None] >= LENGTHS] = 0
    return pooling, outputs


def test_last_is_the_state_after_the_last_real_step_of_each_direction() -> None:
    rng = np.random.default_rng(0)
    stack = Stack(cells.load("gru"), 3, H, bidirectional=True, rng=rng)
    x = torch.from_numpy(rng.normal(size=(T, B, 3)).astype(np.float32))
    outputs, state = stack(x, lengths=LENGTHS)
    last = Pooling("last", 2 * H, 2, rng)(outputs, LENGTHS)
    # a GRU's output is its state, and a stack's state is that after the last real step
    assert torch.equal(last, torch.cat([state[0].hidden, state[1].hidden], dim=-1))


def test_last_is_not_the_output_of_the_last_padded_step() -> None:
    pooling, outputs = pooled("last", directions=1)
    last = pooling(outputs, LENGTHS)
    assert not torch.equal(last[1:], outputs[-1, 1:])
    for row, length in enumerate(LENGTHS.tolist()):
        assert torch.equal(last[row], outputs[length - 1, row])


def test_mean_and_max_are_over_the_real_steps_alone() -> None:
    for kind, reduce in (("mean", np.mean), ("max", np.max)):
        pooling, outputs = pooled(kind)
        outputs = outputs - 3 * (outputs != 0)  # all real values below zero: padding would win
        found = pooling(outputs, LENGTHS).numpy()
        for row, length in enumerate(LENGTHS.tolist()):
            expected = reduce(outputs[:length, row].numpy(), axis=0)
            # float64 sums of six numbers in another order
            np.testing.assert_allclose(found[row], expected, rtol=1e-13)


def test_attention_is_its_equation() -> None:
    pooling, outputs = pooled("attention")
    weight, bias, query = (
        pooling.get_parameter(name).detach().numpy() for name in ("weight", "bias", "query")
    )
    found = pooling(outputs, LENGTHS).detach().numpy()
    for row, length in enumerate(LENGTHS.tolist()):
        real = outputs[:length, row].numpy()
        scores = np.tanh(real @ weight.T + bias) @ query
        shares = np.exp(scores) / np.exp(scores).sum()
        # float64, sums of ten products
        np.testing.assert_allclose(found[row], shares @ real, rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_is_that_of_finite_differences_and_none_of_padding(kind: str) -> None:
    pooling, outputs = pooled(kind)
    outputs.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: pooling(x, LENGTHS), outputs)
    pooling(outputs, LENGTHS).sum().backward()
    gradient = outputs.grad
    assert gradient is not None
    if kind != "mean":  # the zeros it adds have a gradient, which the stack drops
        assert not gradient[torch.arange(T)[:, None] >= LENGTHS].any()


@pytest.mark.parametrize("kind", KINDS)
def test_the_weights_are_those_announced(kind: str) -> None:
    pooling, _ = pooled(kind)
    found = {name: tuple(value.shape) for name, value in pooling.state_dict().items()}
    assert found == shapes(kind, 2 * H)


def test_another_kind_or_shape_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"unknown pooling 'maximum'\. Have: last, mean, max"):
        Pooling("maximum", 4, 1, np.random.default_rng(0))
    pooling, outputs = pooled("mean")
    with pytest.raises(ShapeError, match=r"outputs must have shape \(T, B, 10\) but has"):
        pooling(outputs[..., :3], LENGTHS)
    with pytest.raises(ShapeError, match=r"lengths must have shape \(4,\) but has \(3,\)"):
        pooling(outputs, LENGTHS[:3])
