"""The mean of −ln p(target), against the formula."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from recurra.errors import ShapeError
from recurra.layers import losses


def mean_nats(
    logits: torch.Tensor, targets: torch.Tensor, mask: torch.Tensor | None = None
) -> torch.Tensor:
    """The loss of logits that are a projection's outputs: those of an identity."""
    symbols = logits.shape[-1]
    weight, bias = torch.eye(symbols, dtype=logits.dtype), torch.zeros(symbols, dtype=logits.dtype)
    return losses.mean_nats(logits, weight, bias, targets, mask)


def expected(logits: torch.Tensor, targets: torch.Tensor) -> NDArray[np.float64]:
    """−ln softmax(logits)[target] of each token, in NumPy."""
    exponentials = np.exp(logits.numpy())
    p = exponentials / exponentials.sum(axis=-1, keepdims=True)
    chosen: NDArray[np.float64] = np.take_along_axis(p, targets.numpy()[..., None], axis=-1)
    return -np.log(chosen[..., 0])


def drawn() -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(0)
    return torch.from_numpy(rng.normal(size=(4, 3, 7))), torch.from_numpy(
        rng.integers(0, 7, (4, 3))
    )


def test_the_loss_is_the_mean_of_minus_log_p() -> None:
    logits, targets = drawn()
    assert float(mean_nats(logits, targets)) == pytest.approx(expected(logits, targets).mean())


def test_the_loss_of_equal_logits_is_the_logarithm_of_the_number_of_symbols() -> None:
    loss = mean_nats(torch.zeros(4, 3, 65), torch.zeros(4, 3, dtype=torch.int64))
    assert float(loss) == pytest.approx(np.log(65))


def test_a_masked_token_counts_neither_in_the_sum_nor_in_the_number() -> None:
    logits, targets = drawn()
    mask = torch.tensor([[True, True, False], [True, False, False], [False] * 3, [True] * 3])
    wanted = expected(logits, targets)[mask.numpy()].mean()
    logits[~mask] = 1e30  # whatever stands there
    targets[~mask] = 6
    assert float(mean_nats(logits, targets, mask)) == pytest.approx(wanted)


def test_a_masked_token_has_no_gradient() -> None:
    logits, targets = drawn()
    logits.requires_grad_()
    mask = torch.zeros(4, 3, dtype=torch.bool)
    mask[0] = True
    (gradient,) = torch.autograd.grad(mean_nats(logits, targets, mask), logits)
    assert gradient[0].any()
    assert not gradient[1:].any()


def test_the_loss_stays_finite_for_logits_that_overflow_the_exponential() -> None:
    logits = torch.tensor([[1000.0, 0.0]])
    assert float(mean_nats(logits, torch.tensor([1]))) == 1000.0


def test_float32_loss_and_gradient_are_those_of_torch_in_float64() -> None:
    logits, targets = drawn()
    mask = torch.tensor([[True, True, False], [True, False, False], [False] * 3, [True] * 3])
    results = []
    for dtype in (torch.float32, torch.float64):  # native, and torch's own
        x = logits.to(dtype).requires_grad_()
        loss = 3 * mean_nats(x, targets, mask)
        results.append((loss.detach().double(), torch.autograd.grad(loss, x)[0].double()))
    for found, expected in zip(*results, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-7)  # float32's rounding


def test_gradients_of_outputs_and_projection_are_those_of_torch_in_float64() -> None:
    rng = np.random.default_rng(1)
    shapes = ((30, 11, 20), (9, 20), (9,))  # more tokens than the native pass holds at once
    given = [torch.from_numpy(rng.normal(size=shape)) for shape in shapes]
    targets = torch.from_numpy(rng.integers(0, 9, (30, 11)))
    mask = torch.from_numpy(rng.random((30, 11)) < 0.7)
    results = []
    for dtype in (torch.float32, torch.float64):  # native, and torch's own
        leaves = [one.to(dtype, copy=True).requires_grad_() for one in given]
        loss = 3 * losses.mean_nats(leaves[0], leaves[1], leaves[2], targets, mask)
        found = [loss.detach(), *torch.autograd.grad(loss, leaves)]
        results.append([one.double() for one in found])
    for one, expected in zip(*results, strict=True):
        torch.testing.assert_close(one, expected, rtol=1e-5, atol=1e-6)  # sums of 330 terms


def test_a_sign_that_torch_keeps_outside_memory_counts() -> None:
    outputs, weight, bias = torch.randn(6, 5), torch.randn(4, 5), torch.randn(4)
    targets = torch.tensor([0, 1, 2, 3, 0, 1])
    found = losses.mean_nats(torch._neg_view(outputs), weight, bias, targets)
    expected = losses.mean_nats(-outputs, weight, bias, targets)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=0)  # torch's sums and the kernels'


def test_no_gradient_is_made_where_none_can_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = []
    native = losses._native

    def watched(*tensors: Any) -> Any:
        wanted.append(tuple(tensors[4]))
        return native(*tensors)

    monkeypatch.setattr(losses, "_native", watched)
    weight, targets = torch.randn(4, 5, requires_grad=True), torch.tensor([0, 1])
    given = (torch.randn(2, 5), weight, torch.zeros(4), targets)
    with torch.no_grad():
        losses.mean_nats(*given)
    losses.mean_nats(*given)
    assert wanted == [(False, False, False), (False, True, False)]


def test_only_the_gradients_that_are_asked_for_are_made() -> None:
    outputs, weight, bias = torch.randn(6, 5), torch.randn(4, 5), torch.zeros(4)
    weight.requires_grad_()
    targets = torch.tensor([0, 1, 2, 3, 0, 1])
    found = torch.autograd.grad(losses.mean_nats(outputs, weight, bias, targets), weight)[0]
    wide = weight.detach().double().requires_grad_()
    loss = losses.mean_nats(outputs.double(), wide, bias.double(), targets)
    expected = torch.autograd.grad(loss, wide)[0]
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-6)


def test_a_loss_over_no_token_is_not_a_number() -> None:
    nothing = torch.zeros(4, 3, dtype=torch.bool)
    for dtype in (torch.float32, torch.float64):
        logits, targets = drawn()
        assert torch.isnan(mean_nats(logits.to(dtype), targets, nothing))


def test_targets_or_masks_of_another_shape_are_an_error_with_both_shapes() -> None:
    logits, targets = drawn()
    with pytest.raises(ShapeError, match=r"targets must have shape \(4, 3\) but has \(3, 4\)"):
        mean_nats(logits, targets.T)
    with pytest.raises(ShapeError, match=r"mask must have shape \(4, 3\) but has \(4,\)"):
        mean_nats(logits, targets, torch.ones(4, dtype=torch.bool))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_targets_of_another_type_are_an_error_that_says_which(dtype: torch.dtype) -> None:
    logits, targets = drawn()
    message = r"^targets must be int64 but are int32: use targets\.long\(\)\.$"
    with pytest.raises(ShapeError, match=message):
        mean_nats(logits.to(dtype), targets.int())


@pytest.mark.parametrize("factor", [1.0, 3.0])
def test_the_gradient_is_scaled_where_it_lies(factor: float) -> None:
    """A second array as large as the logits is not written."""
    logits, targets = drawn()
    x = logits.float().reshape(12, 7).requires_grad_()
    kept = []

    def seen(saved: torch.Tensor) -> torch.Tensor:
        kept.append(saved.data_ptr())
        return saved

    with torch.autograd.graph.saved_tensors_hooks(seen, lambda saved: saved):
        loss = mean_nats(x, targets.reshape(12))
    (gradient,) = torch.autograd.grad(factor * loss, x)
    assert gradient.data_ptr() in kept


def test_a_graph_that_is_kept_gives_the_same_gradient_every_time() -> None:
    logits, targets = drawn()
    for factor in (1.0, 3.0):
        x = logits.float().reshape(12, 7).requires_grad_()
        loss = factor * mean_nats(x, targets.reshape(12))
        alone, again, third = (torch.autograd.grad(loss, x, retain_graph=True)[0] for _ in range(3))
        assert torch.equal(alone, again)
        for _ in range(3):  # a leaf adds them up in its own array
            loss.backward(retain_graph=True)  # type: ignore[no-untyped-call]
        assert x.grad is not None
        torch.testing.assert_close(x.grad, 3 * alone, rtol=1e-6, atol=0)  # float32's rounding
        assert torch.equal(third, alone)


def test_several_gradients_at_once_are_those_of_each_alone() -> None:
    logits, targets = drawn()
    x = logits.float().requires_grad_()
    loss = mean_nats(x, targets)
    factors = torch.tensor([1.0, -2.0])
    (alone,) = torch.autograd.grad(loss, x, retain_graph=True)
    (both,) = torch.autograd.grad(loss, x, factors, is_grads_batched=True)
    torch.testing.assert_close(both, factors[:, None, None, None] * alone, rtol=0, atol=0)


def test_logits_in_any_layout_and_targets_that_do_not_count_are_torch_s() -> None:
    targets = torch.tensor([1, -1, 2, -1, 3, 0])
    found = []
    for dtype in (torch.float32, torch.float64):
        torch.manual_seed(0)
        leaf = torch.randn(8, 6).to(dtype).requires_grad_()
        loss = mean_nats(leaf.t(), targets)
        loss.backward()  # type: ignore[no-untyped-call]
        assert leaf.grad is not None
        found.append((loss.detach().double(), leaf.grad.double()))
    torch.testing.assert_close(found[0], found[1], rtol=1e-5, atol=1e-6)  # float32's rounding
