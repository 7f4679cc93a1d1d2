"""Interrupted + resumed = uninterrupted, to the last bit, however and whenever it was stopped."""

from __future__ import annotations

import json
import math
import os
import signal
import struct
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
from recurra.training import curve, resume
from recurra.training.settings import OPTIMIZERS, Training
from recurra.training.watch import Progress, Quiet
from tests.training.compare import assert_same_run, metrics, scalars
from tests.training.parity_task import Batch, Config, Data, Network, Parity, fit

PLAIN = Training(
    steps=40, batch_size=8, learning_rate=0.02, validate_every=7, sample_every=9, save_every=1e6
)


@pytest.fixture(autouse=True)
def _no_curve(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes longer than these runs train."""
    monkeypatch.setattr(curve, "write", lambda folder, records, watcher: None)


class Kill(Exception):
    """Ends training where it stands, without a save."""


class Stops(Quiet):
    """Interrupts by Ctrl-C, or kills, after a step."""

    def __init__(self, step: int, *, kill: bool = False) -> None:
        self.step, self.kill = step, kill
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def stepped(self, progress: Progress) -> None:
        if progress.step == self.step and self.kill:
            raise Kill
        if progress.step == self.step:
            os.kill(os.getpid(), signal.SIGINT)


def whole_and_parts(tmp_path: Path, config: Config, stops: list[Stops]) -> None:
    """Trains once without a break, and once broken off at `stops`; asserts that both are equal."""
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert fit(whole, config).reason == "budget"
    for number, stop in enumerate(stops):
        if stop.kill:
            with pytest.raises(Kill):
                fit(parts, config, resume=number > 0, watcher=stop)
        else:
            assert fit(parts, config, resume=number > 0, watcher=stop).reason == "interrupted"
    assert fit(parts, config, resume=True).reason == "budget"
    assert_same_run(whole, parts)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_goes_on_bit_for_bit(tmp_path: Path, name: str) -> None:
    config = Config(training=replace(PLAIN, optimizer=name))
    whole_and_parts(tmp_path, config, [Stops(5), Stops(23)])


@pytest.mark.parametrize(
    ("network", "changes"),
    [
        (Network(), {"ema": 0.9}),
        (Network(), {"accumulate": 3}),
        (Network(dropout=0.5), {}),
        (Network(carry=True), {}),
        (Network(), {"schedule": "plateau", "patience": 1, "validate_every": 2}),
        (Network(), {"schedule": "exponential", "decay_after": 3.0}),
        (Network(), {"steps": None, "epochs": 13.0}),
        (Network(), {"clip_norm": None, "clip_value": 0.01, "weight_decay": 0.1}),
        (
            Network(dropout=0.3, carry=True),
            {"ema": 0.95, "accumulate": 2, "optimizer": "adamw", "schedule": "plateau"},
        ),
    ],
    ids=str,
)
def test_every_setting_goes_on_bit_for_bit(
    tmp_path: Path, network: Network, changes: dict[str, Any]
) -> None:
    config = Config(model=network, training=replace(PLAIN, **changes))
    whole_and_parts(tmp_path, config, [Stops(3), Stops(17)])


def test_early_stopping_comes_at_the_same_step_after_a_break(tmp_path: Path) -> None:
    training = replace(PLAIN, early_stop=2, validate_every=1, learning_rate=1.0, clip_norm=None)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    outcome = fit(whole, Config(training=training))
    assert outcome.reason == "early stop"
    assert outcome.steps == outcome.best_step + 2
    fit(parts, Config(training=training), watcher=Stops(outcome.steps - 1))
    assert fit(parts, Config(training=training), resume=True).steps == outcome.steps
    assert_same_run(whole, parts)


@pytest.mark.parametrize("save_every", [0.0, 1e6])
@pytest.mark.parametrize("step", [1, 8, 12])
def test_a_run_killed_after_a_step_goes_on_from_its_last_save(
    tmp_path: Path, save_every: float, step: int
) -> None:
    config = Config(training=replace(PLAIN, steps=12, save_every=save_every))
    whole_and_parts(tmp_path, config, [Stops(step, kill=True)])


def test_a_run_without_a_held_out_part_goes_on_and_its_best_is_its_last(tmp_path: Path) -> None:
    config = Config(data=Data(held_out=False), training=PLAIN)
    whole_and_parts(tmp_path, config, [Stops(10)])
    best = store.read_tensors(tmp_path / "whole" / store.MODEL)
    everything = store.read_tensors(tmp_path / "whole" / store.RESUME)
    assert all(np.array_equal(best[name], everything[f"model/{name}"]) for name in best)


def test_saving_often_changes_nothing(tmp_path: Path) -> None:
    training = replace(PLAIN, steps=15)
    fit(tmp_path / "rarely", Config(training=training))
    fit(tmp_path / "often", Config(training=replace(training, save_every=0.0)))
    assert_same_run(tmp_path / "rarely", tmp_path / "often")


def test_sampling_leaves_training_as_it_is(tmp_path: Path) -> None:
    config = Config(model=Network(dropout=0.3), training=replace(PLAIN, ema=0.9))
    fit(tmp_path / "with", config)
    fit(tmp_path / "without", replace(config, training=replace(config.training, sample_every=0)))
    assert _kinds(tmp_path / "with") - _kinds(tmp_path / "without") == {"sample"}
    one, other = (store.read_tensors(tmp_path / run / store.RESUME) for run in ("with", "without"))
    assert all(array.tobytes() == other[name].tobytes() for name, array in one.items())


def _kinds(folder: Path) -> set[str]:
    return {record["kind"] for record in metrics(folder)}


def test_a_kill_between_the_two_files_of_a_save_is_made_good(tmp_path: Path) -> None:
    """model.safetensors is then newer than resume.safetensors, as from the future."""
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    fit(whole, Config(training=PLAIN))
    fit(parts, Config(training=PLAIN), watcher=Stops(10))
    (parts / store.MODEL).write_bytes((whole / store.MODEL).read_bytes())
    fit(parts, Config(training=PLAIN), resume=True, watcher=Stops(12))
    best = store.read_header(parts / store.MODEL).metadata["step"]
    assert int(best) == scalars(parts)["state"]["best_step"] == 7
    fit(parts, Config(training=PLAIN), resume=True)
    assert_same_run(whole, parts)


def test_a_copied_run_goes_on_as_the_original_does(tmp_path: Path) -> None:
    fit(tmp_path / "one", Config(training=PLAIN), watcher=Stops(10))
    (tmp_path / "other").mkdir()
    for name in (store.CONFIG, store.MODEL, store.RESUME, store.METRICS, "labels.json"):
        (tmp_path / "other" / name).write_bytes((tmp_path / "one" / name).read_bytes())
    for run in ("one", "other"):
        fit(tmp_path / run, Config(training=PLAIN), resume=True)
    assert_same_run(tmp_path / "one", tmp_path / "other")


def test_a_finished_run_ends_again_at_once_and_goes_on_with_a_larger_budget(
    tmp_path: Path,
) -> None:
    run = tmp_path / "run"
    fit(run, Config(training=PLAIN))
    before = metrics(run)
    assert fit(run, Config(training=PLAIN), resume=True).steps == 40
    assert metrics(run) == before
    longer = Config(training=replace(PLAIN, steps=50))
    assert fit(run, longer, resume=True).steps == 50
    assert [record["steps"] for record in metrics(run) if record["kind"] == "result"] == [50]


def test_another_machine_is_noted(tmp_path: Path) -> None:
    run, watcher = tmp_path / "run", Stops(10)
    fit(run, Config(training=PLAIN), watcher=watcher)
    record = store.read_record(run)
    store.write_record(run, replace(record, platform={**record.platform, "threads": 77}))
    fit(run, Config(training=PLAIN), resume=True, watcher=watcher)
    assert any("this machine has threads" in note and "was 77" in note for note in watcher.notes)


def test_lost_metrics_are_noted_and_training_goes_on(tmp_path: Path) -> None:
    run, watcher = tmp_path / "run", Stops(10)
    fit(run, Config(training=PLAIN), watcher=watcher)
    (run / store.METRICS).unlink()
    assert fit(run, Config(training=PLAIN), resume=True, watcher=watcher).steps == 40
    assert any("metrics.jsonl is shorter than it was" in note for note in watcher.notes)


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


def test_a_run_that_early_stopping_ended_trains_on_with_a_new_budget_alone(tmp_path: Path) -> None:
    run, watcher = tmp_path / "run", Stops(-1)
    training = replace(PLAIN, early_stop=2, validate_every=1, learning_rate=1.0, clip_norm=None)
    ended = fit(run, Config(training=training)).steps
    again = fit(run, Config(training=training), resume=True, watcher=watcher)
    assert (again.reason, again.steps) == ("early stop", ended)
    assert watcher.notes == [
        "early stopping ended this run; a new budget (--steps, --epochs or --minutes) trains it on."
    ]
    longer = fit(run, Config(training=replace(training, steps=100)), resume=True)
    assert longer.steps >= ended + 2
    assert store.read_record(run).config["training"]["steps"] == 100


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64], ids=str)
def test_the_saved_weights_are_float32_whatever_they_were_trained_in(
    tmp_path: Path, dtype: torch.dtype
) -> None:
    values = [0.5, -1.25, 3.0]  # exact in every one of these types
    resume.write_model(tmp_path, {"w": torch.tensor(values, dtype=dtype)}, 7)
    assert store.read_header(tmp_path / store.MODEL).entries["w"].dtype == np.dtype("<f4")
    data = (tmp_path / store.MODEL).read_bytes()
    assert struct.unpack("<3f", data[-12:]) == tuple(values)


def test_a_model_trained_in_float64_is_saved_in_float32_and_goes_on_bit_for_bit(
    tmp_path: Path,
) -> None:
    class Double(Parity):
        """The same network in float64."""

        def build(self, config: Any, assets: Any, rng: np.random.Generator) -> nn.Module:
            return super().build(config, assets, rng).double()

        def loss(
            self, model: nn.Module, batch: Batch, carried: Any, generator: torch.Generator | None
        ) -> Loss:
            double = batch._replace(bits=batch.bits.double(), odd=batch.odd.double())
            return super().loss(model, double, carried, generator)

    config = Config(data=Data(held_out=False), training=replace(PLAIN, sample_every=0))
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    fit(whole, config, task=Double())
    fit(parts, config, task=Double(), watcher=Stops(10))
    fit(parts, config, task=Double(), resume=True)
    assert_same_run(whole, parts)
    model, going_on = (store.read_tensors(whole / name) for name in (store.MODEL, store.RESUME))
    for name, array in model.items():
        assert array.dtype == np.float32
        assert going_on[f"model/{name}"].dtype == np.float64
        assert np.array_equal(array, going_on[f"model/{name}"].astype(np.float32))
