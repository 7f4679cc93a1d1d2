"""The loss that comes with its gradients in one native call, against float64 and autograd."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from recurra import kernels
from recurra.errors import ShapeError
from recurra.layers.stack import StackState, detached
from recurra.models.language_model import LanguageModel
from recurra.runtime import NetworkSettings, resolve

pytestmark = pytest.mark.skipif(
    kernels.why_missing() is not None, reason="the native kernels are not there"
)

T, B, V = 7, 5, 11
CELLS = [name for name in kernels.names() if name != "irnn"]  # relu_rnn's kernel
NETWORKS = {
    "one layer": {},
    "three layers": {"num_layers": 3},
    "one-hot": {"embedding_size": 0, "num_layers": 2},
    "small embedding": {"embedding_size": 3},
    "tied": {"tied": True, "num_layers": 2},
}


def built(**settings: Any) -> LanguageModel:
    asked = resolve(NetworkSettings(**{"hidden_size": 20, "cell": "lstm", **settings}))
    return LanguageModel(asked, V, np.random.default_rng(3))


def text(windows: int = 1, symbols: int = V) -> torch.Tensor:
    """Ids and targets (windows, 2, T, B)."""
    drawn = np.random.default_rng(4).integers(0, symbols, (windows, 2, T, B))
    return torch.from_numpy(drawn)


def relative(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found.double() - expected).norm() / expected.norm())


@pytest.mark.parametrize("settings", NETWORKS.values(), ids=NETWORKS.keys())
@pytest.mark.parametrize("cell", CELLS)
def test_loss_state_and_every_gradient_are_those_of_autograd_in_float64_window_after_window(
    cell: str, settings: dict[str, Any]
) -> None:
    model, double = built(cell=cell, **settings), built(cell=cell, **settings).double()
    state: StackState | None = None
    state64: StackState | None = None
    for window, (ids, targets) in enumerate(text(3)):
        mask = torch.arange(T * B).reshape(T, B) % 3 > 0 if window == 1 else None
        made = model.training_nats(ids, targets, mask, state)
        nats, state64 = double.mean_nats(ids, targets, mask, state64)
        double.zero_grad()
        nats.backward()  # type: ignore[no-untyped-call]
        state, state64 = made.state, detached(state64)
        assert made.gradients is not None
        assert float(made.mean_nats) == pytest.approx(float(nats.detach()), abs=1e-5)  # float32
        for gradient, (name, weight) in zip(made.gradients, double.named_parameters(), strict=True):
            assert weight.grad is not None
            assert relative(gradient, weight.grad) < 1e-4, name  # float32 sums of T·B terms
        for ours, theirs in zip(state, state64, strict=True):
            for one, other in zip(ours, theirs, strict=True):
                torch.testing.assert_close(one.double(), other, rtol=0, atol=1e-5)  # float32


@pytest.mark.parametrize("settings", NETWORKS.values(), ids=NETWORKS.keys())
def test_the_bits_do_not_depend_on_the_number_of_threads(settings: dict[str, Any]) -> None:
    settings = {**settings, "hidden_size": 96}  # large enough to be shared
    if settings.get("embedding_size") == 3:
        settings["embedding_size"] = 64
    before, found = torch.get_num_threads(), []
    ids, targets = (one.repeat(4, 8) for one in text()[0])
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            made = built(**settings).training_nats(ids, targets)
            assert made.gradients is not None
            found.append([made.mean_nats, *made.gradients])
    finally:
        torch.set_num_threads(before)
    for other in found[1:]:
        assert all(torch.equal(*pair) for pair in zip(found[0], other, strict=True))


@pytest.mark.parametrize("seen", ["module hook", "tensor hook"])
def test_a_hook_sees_what_it_was_put_there_for(seen: str) -> None:
    model, calls = built(num_layers=2), []
    if seen == "module hook":
        model.recurrent.layers(1)[0].register_forward_hook(lambda *_: calls.append(1))
    else:
        hooked = next(model.parameters())
        hooked.register_hook(lambda _: calls.append(1))  # type: ignore[no-untyped-call]
    ids, targets = text()[0]
    made = model.training_nats(ids, targets)
    made.mean_nats.backward()  # type: ignore[no-untyped-call]
    assert calls == [1]


@pytest.mark.parametrize(
    "settings",
    [{"dropout": 0.5}, {"weight_dropout": 0.5}, {"learned_state": True}, {"cell": "mgu"}],
    ids=str,
)
def test_a_network_with_something_between_goes_through_autograd(settings: dict[str, Any]) -> None:
    model = built(**settings)
    ids, targets = text()[0]
    made = model.training_nats(ids, targets, generator=torch.Generator())
    made.mean_nats.backward()  # type: ignore[no-untyped-call]
    assert made.gradients is None
    assert all(weight.grad is not None for weight in model.parameters())


def test_weights_that_are_not_trained_get_no_gradient() -> None:
    model = built()
    model.projection["bias"].requires_grad_(False)
    ids, targets = text()[0]
    made = model.training_nats(ids, targets)
    made.mean_nats.backward()  # type: ignore[no-untyped-call]
    assert made.gradients is None
    assert model.projection["bias"].grad is None


def test_a_state_that_has_a_history_gets_its_gradient() -> None:
    model = built()
    state = tuple(
        type(one)(*(value.requires_grad_() for value in one))
        for one in model.recurrent.initial_state(B)
    )
    ids, targets = text()[0]
    made = model.training_nats(ids, targets, state=state)
    made.mean_nats.backward()  # type: ignore[no-untyped-call]
    assert state[0].hidden.grad is not None


def test_without_gradients_there_are_none() -> None:
    with torch.no_grad():
        ids, targets = text()[0]
        assert built().training_nats(ids, targets).gradients is None


def test_where_no_token_counts_the_loss_is_no_number() -> None:
    ids, targets = text()[0]
    made = built().training_nats(ids, targets, torch.zeros(T, B, dtype=torch.bool))
    assert torch.isnan(made.mean_nats)


def test_bad_input_is_refused_as_the_other_way_refuses_it() -> None:
    (ids, targets), model = text()[0], built()
    with pytest.raises(IndexError, match="id 11 is out of range: the table has 11 rows"):
        model.training_nats(torch.full_like(ids, V), targets)
    with pytest.raises(IndexError, match="id 11 is out of range"):
        model.training_nats(ids, torch.full_like(targets, V))
    with pytest.raises(ShapeError, match=r"targets must have shape \(7, 5\) but has \(6, 5\)"):
        model.training_nats(ids, targets[1:])
    with pytest.raises(ShapeError, match="targets must be int64"):
        model.training_nats(ids, targets.int())
    with pytest.raises(ShapeError, match=r"state\[0\]\.hidden must have shape \(5, 20\)"):
        model.training_nats(ids, targets, state=model.recurrent.initial_state(B + 1))
