"""A run folder that cannot be gone on with is refused in one line, and stays as it is."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from recurra import store
from recurra.errors import RunError
from recurra.task import Loss
from tests.training.parity_task import Batch, Config, Network, Parity, fit
from tests.training.sessions import PLAIN, Stops

pytestmark = pytest.mark.usefixtures("no_curve")


def test_a_run_that_cannot_go_on_says_why(tmp_path: Path) -> None:
    run = tmp_path / "run"
    config = Config(training=PLAIN)
    fit(run, config, watcher=Stops(10))
    with pytest.raises(RunError, match=r"is not empty.*go on with it: recurra resume"):
        fit(run, config)
    with pytest.raises(RunError, match=r"does not fit the model: .* expected"):
        fit(run, replace(config, model=Network(hidden_size=9)), resume=True)
    with pytest.raises(RunError, match="was written by 'adam', and the config says 'sgd'"):
        fit(run, Config(training=replace(PLAIN, optimizer="sgd")), resume=True)
    with pytest.raises(RunError, match="does not fit the model: average"):
        fit(run, Config(training=replace(PLAIN, ema=0.9)), resume=True)
    whole = (run / store.RESUME).read_bytes()
    (run / store.RESUME).write_bytes(whole[:-1])
    with pytest.raises(RunError, match=r"resume\.safetensors is damaged"):
        fit(run, config, resume=True)
    (run / store.RESUME).unlink()
    with pytest.raises(RunError, match=r"has no resume\.safetensors.*--from"):
        fit(run, config, resume=True)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"state": 3}, "training state is damaged"),
        ({"state": None}, "training state is damaged"),
        ({"streams": {}}, "data position cannot be restored"),
        ({"batches": {"position": 1}}, "data position cannot be restored"),
        ({"carried": "float32"}, "carried state is damaged"),
        ({"streams": 3}, "data position cannot be restored"),
        ({"streams": {"init": "x"}}, "data position cannot be restored"),
        ({"streams": {"init": {"state": []}}}, "data position cannot be restored"),
        ({"streams": {"init": {"uint64": [2**70]}}}, "data position cannot be restored"),
        ({"batches": [1]}, "data position cannot be restored"),
        ({"precision": 3, "batches": None}, "data position cannot be restored"),
        ({"state": {"step": math.nan}}, r"scalars are not JSON \(Out of range float"),
        ({"state": {"seconds": math.inf}}, r"scalars are not JSON \(Out of range float"),
        ({"state": {"seconds": 10**400}}, r"scalars are not JSON \(an integer is past any float"),
        ({"carried": "\ud800"}, "scalars are a string in it is not text"),
        ({"metrics_size": -1}, "lacks its scalars"),
        ({"metrics_size": "1"}, "lacks its scalars"),
    ],
)
def test_damaged_scalars_are_refused(
    tmp_path: Path, change: Mapping[str, Any], message: str
) -> None:
    run = tmp_path / "run"
    fit(run, Config(training=PLAIN), watcher=Stops(10))
    found = json.loads(store.read_header(run / store.RESUME).metadata["scalars"])
    tensors = store.read_tensors(run / store.RESUME)
    store.save_tensors(run / store.RESUME, tensors, {"scalars": json.dumps({**found, **change})})
    with pytest.raises(RunError, match=message):
        fit(run, Config(training=PLAIN), resume=True)


def test_the_config_keeps_its_budget_where_the_resume_file_is_damaged(tmp_path: Path) -> None:
    run = tmp_path / "run"
    fit(run, Config(training=PLAIN), watcher=Stops(10))
    before = (run / store.CONFIG).read_bytes()
    (run / store.RESUME).write_bytes((run / store.RESUME).read_bytes()[:-1])
    with pytest.raises(RunError, match=r"resume\.safetensors is damaged"):
        fit(run, Config(training=replace(PLAIN, steps=50)), resume=True)
    assert (run / store.CONFIG).read_bytes() == before


@pytest.mark.parametrize(
    "change",
    [
        lambda carried, structure: ({"0": carried["0"][:, :-1]}, structure),
        lambda carried, structure: ({"0": carried["0"][:-1]}, structure),
        lambda carried, structure: ({"0": carried["0"].astype(np.float64)}, "float64"),
        lambda carried, structure: (carried, "float32"),
        lambda carried, structure: (carried, {"fields": [], "items": ["float32", None]}),
        lambda carried, structure: ({}, {"fields": [], "items": [None]}),
    ],
    ids=["H", "B", "type", "a tensor", "two layers", "no tensor"],
)
def test_a_carried_state_of_another_model_is_refused_in_one_line(
    tmp_path: Path, change: Callable[[Any, Any], tuple[dict[str, NDArray[Any]], Any]]
) -> None:
    run = tmp_path / "run"
    config = Config(model=Network(carry=True), training=PLAIN)
    fit(run, config, watcher=Stops(10))
    found = json.loads(store.read_header(run / store.RESUME).metadata["scalars"])
    tensors = store.read_tensors(run / store.RESUME)
    carried, found["carried"] = change({"0": tensors.pop("carried/0")}, found["carried"])
    tensors |= {f"carried/{name}": array for name, array in carried.items()}
    store.save_tensors(run / store.RESUME, tensors, {"scalars": json.dumps(found)})
    with pytest.raises(RunError, match="carried state failed") as caught:
        fit(run, config, resume=True)
    assert "\n" not in str(caught.value)


def test_a_fault_in_a_later_step_is_not_laid_on_the_carried_state(tmp_path: Path) -> None:
    class Faulty(Parity):
        """Fails at the second step of a process."""

        turn = 0

        def loss(
            self, model: nn.Module, batch: Batch, carried: Any, generator: torch.Generator | None
        ) -> Loss:
            self.turn += 1
            if self.turn == 2:
                raise RuntimeError("a bug of ours")
            return super().loss(model, batch, carried, generator)

    config = Config(model=Network(carry=True), training=PLAIN)
    fit(tmp_path / "run", config, watcher=Stops(10))
    with pytest.raises(RuntimeError, match="a bug of ours"):
        fit(tmp_path / "run", config, resume=True, task=Faulty())
