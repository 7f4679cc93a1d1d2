"""The loss that comes with its gradients in one native call, against float64 and autograd."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.modules.module import register_module_forward_hook

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


HOOKS: dict[str, Callable[[LanguageModel, Callable[..., None]], Any]] = {
    "of a layer": lambda model, seen: model.recurrent.layers(1)[0].register_forward_hook(seen),
    "of a part": lambda model, seen: model.dropout.register_forward_hook(seen),
    "of a gradient": lambda model, seen: model.projection["bias"].register_hook(seen),
    "of a gradient that is there": lambda model, seen: model.projection[
        "bias"
    ].register_post_accumulate_grad_hook(seen),
    "of everything": lambda _, seen: register_module_forward_hook(seen),
}


@pytest.mark.parametrize("put", HOOKS.values(), ids=HOOKS.keys())
def test_a_hook_sees_what_it_was_put_there_for(
    put: Callable[[LanguageModel, Callable[..., None]], Any],
) -> None:
    model, calls = built(num_layers=2), []
    hook = put(model, lambda *_: calls.append(1))
    try:
        ids, targets = text()[0]
        made = model.training_nats(ids, targets)
        made.mean_nats.backward()  # type: ignore[no-untyped-call]
    finally:
        hook.remove()
    assert calls


def test_ids_of_another_type_are_read_as_what_they_are() -> None:
    (ids, targets), model = text()[0], built()
    expected = model.training_nats(ids, targets).mean_nats
    found = model.training_nats(ids.int(), targets).mean_nats
    torch.testing.assert_close(found.detach(), expected, rtol=0, atol=1e-5)  # float32


def test_torchs_defaults_do_not_reach_the_kernels() -> None:
    (ids, targets), model = text()[0], built()
    expected = model.training_nats(ids, targets)
    for default in (torch.float64, torch.float16):
        torch.set_default_dtype(default)
        try:
            made = copy.deepcopy(model).training_nats(ids, targets)
        finally:
            torch.set_default_dtype(torch.float32)
        assert made.state[0].hidden.dtype is torch.float32
        assert torch.equal(made.state[0].hidden, expected.state[0].hidden)


def test_a_copy_takes_no_memory_along_and_goes_its_own_way() -> None:
    (ids, targets), model = text()[0], built()
    first = model.training_nats(ids, targets)
    twin = pickle.loads(pickle.dumps(model))
    sizes = [len(pickle.dumps(one)) for one in (built(), model)]
    assert abs(sizes[0] - sizes[1]) < 100
    with torch.no_grad():
        twin.projection["bias"][0] += 1
    assert first.gradients is not None
    kept = [one.clone() for one in first.gradients]
    twin.training_nats(ids, targets)
    assert all(torch.equal(*pair) for pair in zip(first.gradients, kept, strict=True))


def test_a_part_that_is_replaced_is_the_one_that_counts() -> None:
    (ids, targets), model = text()[0], built()
    model.projection = torch.nn.ParameterDict(
        {"weight": torch.zeros(V, 20), "bias": torch.zeros(V)}
    )
    # of V symbols that are equally likely each takes ln V
    found = model.training_nats(ids, targets).mean_nats.detach()
    assert float(found) == pytest.approx(np.log(V))


def test_a_model_that_was_cast_and_cast_back_has_right_gradients() -> None:
    (ids, targets), model = text()[0], built()
    expected = model.training_nats(ids, targets).gradients
    assert expected is not None
    kept = [one.clone() for one in expected]
    for weight, gradient in zip(model.parameters(), expected, strict=True):
        weight.grad = gradient
    model.double()
    for weight in model.parameters():
        weight.grad = None
    found = model.float().training_nats(ids, targets).gradients
    assert found is not None
    assert all(torch.equal(*pair) for pair in zip(found, kept, strict=True))


def test_two_threads_may_ask_one_model() -> None:
    model, texts = built(), text(8)
    expected = [float(model.training_nats(ids, targets).mean_nats) for ids, targets in texts]

    def again(index: int) -> float:
        ids, targets = texts[index % 8]
        return float(model.training_nats(ids, targets).mean_nats)

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(again, range(160)))
    assert found == expected * 20


def test_no_step_at_all_is_an_error() -> None:
    with pytest.raises(ShapeError, match="at least one step"):
        built().training_nats(torch.zeros(0, B, dtype=torch.int64), torch.zeros(0, B).long())


def test_dropout_counts_in_whatever_part_is_in_training() -> None:
    model = built(dropout=0.5)
    model.recurrent.eval()
    ids, targets = text()[0]
    assert model.training_nats(ids, targets, generator=torch.Generator()).gradients is None
    assert model.eval().training_nats(ids, targets).gradients is not None


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
