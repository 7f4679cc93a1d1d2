"""Interrupted + resumed = uninterrupted, to the last bit, however and whenever it was stopped."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from recurra import store
from recurra.errors import RunError
from recurra.task import Loss
from recurra.training import resume
from recurra.training.settings import OPTIMIZERS
from tests.training.compare import assert_same_run, metrics, scalars
from tests.training.parity_task import Batch, Config, Data, Network, Parity, fit
from tests.training.sessions import PLAIN, Kill, Stops

pytestmark = pytest.mark.usefixtures("no_curve")


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


@pytest.mark.parametrize("damage", ["missing", "cut", "flipped"])
def test_lost_weights_are_written_again_with_a_note(tmp_path: Path, damage: str) -> None:
    run, watcher = tmp_path / "run", Stops(-1)
    fit(run, Config(training=PLAIN))
    path = run / store.MODEL
    whole = path.read_bytes()
    path.write_bytes(whole[:-9] if damage == "cut" else whole[:-1] + bytes([whole[-1] ^ 1]))
    if damage == "missing":
        path.unlink()
    fit(run, Config(training=PLAIN), resume=True, watcher=watcher)
    assert path.read_bytes() == whole
    note = watcher.notes[0]
    assert store.MODEL in note
    assert note.endswith("It is written again, from resume.safetensors.")
    fit(run, Config(training=PLAIN), resume=True, watcher=(again := Stops(-1)))
    assert [note for note in again.notes if store.MODEL in note] == []


def test_a_damaged_resume_file_is_not_gone_on_from(tmp_path: Path) -> None:
    run = tmp_path / "run"
    fit(run, Config(training=PLAIN), watcher=Stops(10))
    data = bytearray((run / store.RESUME).read_bytes())
    data[-1] ^= 1
    (run / store.RESUME).write_bytes(data)
    with pytest.raises(RunError, match=r"resume\.safetensors is damaged: it is no longer what"):
        fit(run, Config(training=PLAIN), resume=True)


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
    run, watcher = tmp_path / "run", Stops(-1)
    fit(run, Config(training=PLAIN), watcher=watcher)
    before = metrics(run)
    assert watcher.notes == []
    assert fit(run, Config(training=PLAIN), resume=True, watcher=watcher).steps == 40
    assert metrics(run) == before
    assert watcher.notes == [
        "this run is finished, its budget is spent, after 40 steps: nothing was trained. A larger "
        f"budget trains it on: recurra resume {run} --steps 80"
    ]
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


def test_a_run_that_early_stopping_ended_trains_on_with_a_new_budget_alone(tmp_path: Path) -> None:
    run, watcher = tmp_path / "run", Stops(-1)
    training = replace(PLAIN, early_stop=2, validate_every=1, learning_rate=1.0, clip_norm=None)
    ended = fit(run, Config(training=training)).steps
    again = fit(run, Config(training=training), resume=True, watcher=watcher)
    assert (again.reason, again.steps) == ("early stop", ended)
    assert watcher.notes == [
        f"this run is finished, early stopping ended it, after {ended} steps: nothing was trained. "
        f"A larger budget trains it on: recurra resume {run} --steps 80"
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
