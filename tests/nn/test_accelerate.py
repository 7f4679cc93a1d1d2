"""Swapping a model's layers in place, and back."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

import recurra
import recurra.nn as ours
from recurra import fused, kernels

# torch's own word on the projected layer
pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported:UserWarning")


class Own(nn.LSTM):
    """A user's subclass, whose forward may differ."""


class Model(nn.Module):
    """Every kind of layer there is."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(11, 5)
        self.rnn = nn.RNN(5, 7)
        self.deep = nn.Sequential(nn.Linear(7, 7), nn.LSTM(7, 7))
        self.own = Own(7, 7)
        self.normed = parametrizations.weight_norm(nn.GRU(7, 7), "weight_hh_l0")
        self.projected = nn.LSTM(7, 7, proj_size=3)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x, _ = self.rnn(self.embedding(ids))
        x, _ = self.deep(x)
        x, _ = self.own(x)
        x, _ = self.normed(x)
        outputs: torch.Tensor = self.projected(x)[0]
        return outputs


def test_exactly_torch_s_classes_are_swapped_and_the_others_are_named() -> None:
    model = Model()
    result = recurra.accelerate(model)
    assert result.swapped == {"rnn": "RNN", "deep.1": "LSTM"}
    assert set(result.skipped) == {"own", "normed", "projected"}
    assert type(model.rnn) is ours.RNN
    assert type(model.own) is Own
    assert "swapped rnn: RNN" in str(result)
    assert "left own: Own is a class of its own" in str(result)
    assert "proj_size" in result.skipped["projected"]


class Small(nn.Module):
    """A recurrent layer and one behind it."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.head = nn.LSTM(5, 7), nn.Linear(7, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.head(self.rnn(x)[0])
        return found


def test_the_model_computes_what_it_computed_before() -> None:
    model = Model()
    ids = torch.randint(0, 11, (6, 4))
    before = model(ids)
    recurra.accelerate(model)
    # five layers of float32 sums in another order
    torch.testing.assert_close(model(ids), before, rtol=0, atol=5e-6)


def test_parameters_hooks_and_an_optimizer_stay_as_they_are() -> None:
    model = Model()
    weights = [id(weight) for weight in model.parameters()]
    called = []
    model.rnn.register_forward_hook(lambda *_: called.append(1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recurra.accelerate(model)
    assert [id(weight) for weight in model.parameters()] == weights
    before = next(model.rnn.parameters()).detach().clone()
    model(torch.randint(0, 11, (6, 4))).sum().backward()
    optimizer.step()
    assert called == [1]
    assert not torch.equal(next(model.rnn.parameters()), before)


def test_restore_makes_the_classes_torch_s_again() -> None:
    model = Model()
    kinds = [type(module) for module in model.modules()]
    recurra.accelerate(model)
    assert recurra.restore(model).swapped == {"rnn": "torch.nn.RNN", "deep.1": "torch.nn.LSTM"}
    assert [type(module) for module in model.modules()] == kinds


def test_restore_names_a_class_made_of_ours_which_it_leaves() -> None:
    model = nn.Sequential(parametrizations.weight_norm(ours.GRU(5, 7), "weight_hh_l0"))
    result = recurra.restore(model)
    assert result.swapped == {}
    assert str(result) == "left 0: ParametrizedGRU is a class of its own"


def test_torch_fx_takes_a_layer_for_one_after_restore() -> None:
    model, x = Small(), torch.randn(4, 3, 5)
    recurra.accelerate(model)
    with pytest.raises(torch.fx.proxy.TraceError):
        torch.fx.symbolic_trace(model)
    recurra.restore(model)
    torch.testing.assert_close(torch.fx.symbolic_trace(model)(x), model(x), rtol=0, atol=0)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, of torch.jit.script
def test_a_model_is_scripted_after_restore() -> None:
    model, x = Small(), torch.randn(4, 3, 5)
    recurra.accelerate(model)
    found = model(x)
    with pytest.raises(torch.jit.frontend.NotSupportedError, match=r"recurra/nn/_call\.py"):
        torch.jit.script(model)
    recurra.restore(model)
    scripted = torch.jit.script(model)
    # float32 sums of some ten terms in another order
    torch.testing.assert_close(scripted(x), found, rtol=0, atol=2e-6)


@pytest.mark.slow
# Dynamo's own, while it looks into our functions
@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("traced", [False, True])
def test_a_compiled_model_runs_the_kernels_unless_dynamo_may_trace_recurrent_layers(
    traced: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, x, calls = Small(), torch.randn(4, 3, 5), []
    expected = model(x)
    recurra.accelerate(model)
    run = fused.run

    def counted(*arguments: Any) -> Any:
        calls.append(1)
        return run(*arguments)

    monkeypatch.setattr(fused, "run", counted)
    torch._dynamo.reset()
    with torch._dynamo.config.patch(allow_rnn=traced):
        found = torch.compile(model, backend="eager", fullgraph=traced)(x)
    torch.testing.assert_close(found, expected, rtol=0, atol=5e-6)  # sums in another order
    assert len(calls) == (0 if traced or kernels.why_missing() else 1)


def test_accelerating_twice_changes_nothing_more() -> None:
    model = Model()
    recurra.accelerate(model)
    again = recurra.accelerate(model)
    assert again.swapped == {}
    assert "left rnn: it is recurra.nn.RNN already" in str(again)
    assert type(model.rnn) is ours.RNN


def test_a_layer_that_is_the_model_itself_is_swapped() -> None:
    model = nn.GRU(5, 7)
    first, *more = str(recurra.accelerate(model)).splitlines()
    assert first == "swapped the model itself: GRU"
    assert bool(more) == (kernels.why_missing() is not None)
    assert type(model) is ours.GRU


def test_where_the_kernels_are_not_used_it_says_so_and_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECURRA_KERNELS", "off")
    assert str(recurra.accelerate(nn.GRU(5, 7))).splitlines() == [
        "swapped the model itself: GRU",
        "none is faster, the native kernels are not used: RECURRA_KERNELS=off",
    ]


def test_a_model_without_recurrent_layers_says_so() -> None:
    assert str(recurra.accelerate(nn.Linear(2, 2))) == "there is no recurrent layer in it"


def test_a_cell_that_is_called_step_by_step_is_named_as_left() -> None:
    model = nn.ModuleList([nn.LSTMCell(5, 7), nn.Linear(7, 2)])
    result = recurra.accelerate(model)
    assert result.swapped == {}
    assert str(result) == "left 0: LSTMCell is one step, and the kernels take a whole sequence"


def test_the_drop_ins_are_reached_without_importing_their_module() -> None:
    code = "import sys, recurra; assert 'torch' not in sys.modules; print(recurra.nn.GRU(2, 3))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "GRU(2, 3)\n"
