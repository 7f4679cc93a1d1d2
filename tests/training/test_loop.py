"""The loop on a task it does not know: it learns, reports, stops and keeps the best."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from recurra import store
from recurra.errors import ConfigError, DivergedError, RunError
from recurra.task import Loss, Validation
from recurra.training.watch import Progress, Quiet
from tests.training.parity_task import Batch, Config, Data, Parity, fit
from tests.training.sessions import SHORT, Diary


def test_the_loss_falls_to_near_zero_on_eight_examples(tmp_path: Path) -> None:
    training = replace(SHORT, steps=250, learning_rate=0.05, schedule="constant", sample_every=0)
    diary = Diary()
    data = Data(examples=8, longest=4, held_out=False)
    fit(tmp_path / "run", Config(data=data, training=training), watcher=diary)
    assert diary.steps[0].loss_nats == pytest.approx(np.log(2), abs=0.15)  # nothing known yet
    assert diary.steps[-1].loss_nats < 0.02


def test_a_watcher_is_told_everything(tmp_path: Path) -> None:
    diary = Diary()
    fit(tmp_path / "run", Config(training=SHORT), watcher=diary)
    assert [progress.step for progress in diary.steps] == list(range(1, 21))
    assert [step for step, _ in diary.validations] == [5, 10, 15, 20]
    assert diary.validations[0] == (5, True)
    assert len(diary.samples) == 3  # after 8 and 16, and at the end
    assert diary.saves[-1] == 20
    last = diary.steps[-1]
    assert (last.share, last.epoch, last.eta_seconds) == (1.0, 20 / 3, 0.0)  # 24 examples, 8 a step
    assert last.grad_norm > 0
    assert last.tokens_per_second > 0
    assert last.learning_rate == pytest.approx(0.02 * 0.02, rel=1e-9)  # cosine's end


def test_the_metrics_hold_every_step_validation_and_sample_and_end_with_the_result(
    tmp_path: Path,
) -> None:
    outcome = fit(tmp_path / "run", Config(training=SHORT))
    records = store.read_metrics(tmp_path / "run")
    kinds = [record["kind"] for record in records]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "train": 20,
        "validation": 4,
        "sample": 3,
        "result": 1,
    }
    assert records[-1]["kind"] == "result"
    assert records[-1]["reason"] == "budget"
    assert records[-1]["tokens"] == outcome.tokens == 160
    scores = {item["step"]: item["score"] for item in records if item["kind"] == "validation"}
    assert min(scores, key=lambda step: scores[step]) == outcome.best_step
    assert outcome.figures["nats_per_sequence"] == scores[outcome.best_step]


class Judged(Parity):
    """Validates as it is told to."""

    def __init__(self, scores: list[float]) -> None:
        self.scores = scores

    def validate(self, model: nn.Module, valid: Any) -> Validation:
        self.seen = {name: value.clone() for name, value in model.state_dict().items()}
        if len(self.scores) == 3:  # the second of four: to be the best
            self.best = self.seen
        return Validation(self.scores.pop(0), {})


class Changed(Judged):
    """Its loss is what a function makes of it and of the number of the step."""

    def __init__(self, change: Callable[[Tensor, int], Tensor], scores: list[float]) -> None:
        super().__init__(scores)
        self.change, self.turn = change, 0

    def loss(
        self, model: nn.Module, batch: Batch, carried: Any, generator: torch.Generator | None
    ) -> Loss:
        self.turn += 1
        loss = super().loss(model, batch, carried, generator)
        return Loss(self.change(loss.mean_nats, self.turn), loss.tokens)


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_the_model_is_the_one_that_validated_best(tmp_path: Path, ema: float) -> None:
    task = Judged([3.0, 1.0, 2.0, 1.0])  # an equal score is not better
    outcome = fit(tmp_path / "run", Config(training=replace(SHORT, ema=ema)), task=task)
    assert outcome.best_step == 10
    found = store.read_tensors(tmp_path / "run" / store.MODEL)
    assert all(torch.equal(torch.tensor(found[name]), task.best[name]) for name in found)
    assert all(array.dtype == np.float32 for array in found.values())
    last = store.read_tensors(tmp_path / "run" / store.RESUME)
    same = np.array_equal(last["model/weight"], task.seen["weight"].numpy())
    assert same == (ema == 0.0)  # validated as they are, or averaged


def test_training_stops_early_after_so_many_validations_without_a_better_one(
    tmp_path: Path,
) -> None:
    task = Judged([3.0, 1.0, 2.0, 1.5, 0.1])
    training = replace(SHORT, steps=1000, early_stop=2)
    outcome = fit(tmp_path / "run", Config(training=training), task=task)
    assert (outcome.reason, outcome.steps, outcome.best_step) == ("early stop", 20, 10)


def test_the_plateau_schedule_halves_the_rate_after_so_many_validations(tmp_path: Path) -> None:
    diary = Diary()
    task = Judged([3.0, 4.0, 4.0, 4.0, 4.0, 2.0])
    training = replace(SHORT, steps=30, schedule="plateau", patience=2)
    fit(tmp_path / "run", Config(training=training), task=task, watcher=diary)
    rates = [diary.steps[step - 1].learning_rate for step in (1, 15, 16, 25, 26, 30)]
    assert rates == [0.02, 0.02, 0.01, 0.01, 0.005, 0.005]


def test_two_accumulated_halves_make_the_step_of_the_whole_batch(tmp_path: Path) -> None:
    data = Data(examples=8, held_out=False)  # one epoch is one batch of 8, or two of 4
    sgd = replace(SHORT, steps=1, optimizer="sgd", schedule="constant", sample_every=0)
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    fit(whole, Config(data=data, training=sgd))
    fit(halves, Config(data=data, training=replace(sgd, batch_size=4, accumulate=2)))
    one, other = (store.read_tensors(folder / store.MODEL) for folder in (whole, halves))
    for name, array in one.items():
        np.testing.assert_allclose(other[name], array, rtol=0, atol=1e-6)  # float32, other order


def test_unequal_accumulated_batches_count_by_their_tokens(tmp_path: Path) -> None:
    class Uneven(Parity):
        """Losses w, then 4 w, over 1 and 3 tokens: the mean is 13/4 w."""

        turn = 0

        def loss(
            self, model: nn.Module, batch: Batch, carried: Any, generator: torch.Generator | None
        ) -> Loss:
            self.turn += 1
            weight = model.get_parameter("bias").sum()
            return Loss(weight if self.turn % 2 else 4 * weight, 1 if self.turn % 2 else 3)

    diary = Diary()
    training = replace(SHORT, steps=1, accumulate=2, clip_norm=None)
    fit(tmp_path / "run", Config(training=training), task=Uneven(), watcher=diary)
    assert diary.steps[0].grad_norm == pytest.approx(3.25, rel=1e-6)  # float32


def test_the_share_of_clipped_steps_is_told(tmp_path: Path) -> None:
    for norm, share in ((1e-6, 1.0), (1e6, 0.0)):
        diary = Diary()
        training = replace(SHORT, steps=3, clip_norm=norm)
        fit(tmp_path / str(norm), Config(training=training), watcher=diary)
        assert diary.steps[-1].clipped_share == share


def test_minutes_end_by_the_clock_and_earlier_sessions_count(tmp_path: Path) -> None:
    run = tmp_path / "run"
    seconds = 0.6

    class Stop(Diary):
        def stepped(self, progress: Progress) -> None:
            super().stepped(progress)
            if progress.share > 0.5 and len(self.steps) > 1:
                os.kill(os.getpid(), signal.SIGINT)

    training = replace(SHORT, steps=None, minutes=seconds / 60, sample_every=0, validate_every=1000)
    first = fit(run, Config(training=training), watcher=Stop())
    diary = Diary()
    second = fit(run, Config(training=training), resume=True, watcher=diary)
    assert (first.reason, second.reason) == ("interrupted", "budget")
    assert diary.steps[0].share > 0.5
    assert second.seconds >= seconds


def test_a_loss_that_is_not_a_number_stops_and_keeps_the_best_model(tmp_path: Path) -> None:
    task = Changed(lambda nats, turn: nats * (float("nan") if turn == 13 else 1.0), [3.0, 1.0, 2.0])
    run = tmp_path / "run"
    message = r"loss became nan at step 13.*--learning-rate.*run holds the best model, of step 10"
    with pytest.raises(DivergedError, match=message) as caught:
        fit(run, Config(training=SHORT), task=task)
    assert "\n" not in str(caught.value)
    assert store.read_header(run / store.MODEL).metadata["step"] == "10"
    assert np.isfinite(store.read_tensors(run / store.MODEL)["weight"]).all()
    assert fit(run, Config(training=SHORT), resume=True).reason == "budget"


@pytest.mark.parametrize(("times", "notes"), [(0.05, 1), (-0.05, 0)])
def test_a_training_loss_that_rises_with_the_held_out_one_is_noted_once(
    tmp_path: Path, times: float, notes: int
) -> None:
    task = Changed(lambda nats, turn: nats + times * turn, [1.0, 2.0, 3.0, 4.0])
    diary = Diary()
    fit(tmp_path / "run", Config(training=SHORT), task=task, watcher=diary)
    assert ["the training loss has risen" in note for note in diary.notes] == [True] * notes


def test_a_score_that_is_not_a_number_stops(tmp_path: Path) -> None:
    with pytest.raises(DivergedError, match=r"score became nan at step 5.*model of its last save"):
        fit(tmp_path / "run", Config(training=SHORT), task=Judged([float("nan")]))


def test_a_figure_that_is_not_finite_is_left_out_and_training_goes_on(tmp_path: Path) -> None:
    class Odd(Parity):
        """One of its figures is undefined, as a precision where nothing was found."""

        def validate(self, model: nn.Module, valid: Any) -> Validation:
            return Validation(1.0, {"nats": 1.0, "precision": float("nan")})

    outcome = fit(tmp_path / "run", Config(training=SHORT), task=Odd())
    assert (outcome.reason, outcome.figures) == ("budget", {"nats": 1.0})


def test_the_second_signal_ends_at_once_and_leaves_a_run_that_goes_on(tmp_path: Path) -> None:
    class Impatient(Quiet):
        def stepped(self, progress: Progress) -> None:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / "run", Config(training=SHORT), watcher=Impatient())
    assert signal.getsignal(signal.SIGINT) is before
    assert fit(tmp_path / "run", Config(training=SHORT), resume=True).steps == 20


def test_one_folder_is_trained_by_one_process(tmp_path: Path) -> None:
    fit(tmp_path / "run", Config(training=SHORT))
    with store.lock(tmp_path / "run"), pytest.raises(RunError, match="another process is training"):
        fit(tmp_path / "run", Config(training=SHORT), resume=True)


def test_half_precision_on_the_cpu_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="only CUDA has it"):
        fit(tmp_path / "run", Config(training=replace(SHORT, precision="bfloat16")))
    assert not (tmp_path / "run").exists()
