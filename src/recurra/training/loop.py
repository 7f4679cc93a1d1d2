"""Training, the same for every task: steps, validation, samples, saves until the budget is spent.

Validation and samples come by the number of the step, saves by the clock. What a step is stands in
`step.py`, what is saved in `resume.py`; who watches is told by `watch.py` and can change nothing.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from recurra import rng, store
from recurra.errors import DivergedError, RunError
from recurra.rng import Streams
from recurra.task import Prepared, Task
from recurra.training import (
    card,
    curve,
    guard,
    machine,
    meters,
    optimizers,
    resume,
    schedules,
    step,
)
from recurra.training.budget import Budget
from recurra.training.ema import Average
from recurra.training.events import Events, NoEvents, open_events
from recurra.training.precision import Precision
from recurra.training.settings import Training
from recurra.training.signals import Interrupt
from recurra.training.state import State
from recurra.training.watch import Progress, Watcher


@dataclass(frozen=True)
class Outcome:
    """How training ended."""

    reason: str  # 'budget', 'early stop' or 'interrupted'
    steps: int  # optimizer steps in all
    tokens: int  # trained on, in all
    seconds: float  # of wall time, in all sessions
    best_step: int  # the step of the weights in model.safetensors
    figures: Mapping[str, float]  # of the best validation; empty where there was none


def train(
    task: Task,
    prepared: Prepared[Any],
    model: nn.Module,
    folder: Path,
    *,
    record: store.RunRecord,
    streams: Streams,
    device: torch.device,
    watcher: Watcher,
    resume: bool = False,
) -> Outcome:
    """Trains `model` until the budget is spent, it stops getting better, or Ctrl-C; says how.

    `folder` is made with `record` and the task's assets where there is no run yet; `resume` goes on
    with the one that is there, where its last save stands. The first Ctrl-C or SIGTERM ends the
    step, saves and returns, the second raises KeyboardInterrupt.

    Raises RunError where the folder cannot be used, DivergedError where the loss does not come
    down (the best model is kept), ConfigError for a precision that the device lacks.
    """
    training: Training = prepared.config.training
    precision = Precision(training.precision, device)
    now = machine.facts(device)
    if resume:
        for difference in machine.differences(record.platform, now):
            watcher.note(f"this machine has {difference}: the last bits may differ from one run.")
    else:
        record = dataclasses.replace(record, platform=now)
        if not (folder / store.CONFIG).exists():
            store.create(folder, record, task.asset_files(prepared.assets))
        elif (folder / store.RESUME).exists():
            raise RunError(f"{folder} is trained already; go on with: recurra resume {folder}")
    with store.lock(folder), Interrupt() as interrupt:
        store.write_record(folder, record)
        model.to(device)
        optimizer = optimizers.build(training, model)
        average = Average(model, training.ema) if training.ema else None
        live = _Live(
            model,
            training.optimizer,
            optimizer,
            average,
            precision,
            prepared.train,
            streams,
            State(),
        )
        session = _Session(task, prepared, live, folder, training, device, watcher)
        session.begin(resume)
        outcome = session.run(interrupt)
        card.write(folder, record, task, model)
        curve.write(folder, watcher)
    return outcome


_Live = resume.Live  # `resume` is an argument of train


class _Session:
    """One process's part of a run."""

    def __init__(
        self,
        task: Task,
        prepared: Prepared[Any],
        live: resume.Live,
        folder: Path,
        training: Training,
        device: torch.device,
        watcher: Watcher,
    ) -> None:
        self.task, self.prepared, self.live, self.folder = task, prepared, live, folder
        self.training, self.device, self.watcher = training, device, watcher
        self.batches_per_epoch = max(1, prepared.train.steps_per_epoch)
        self.budget = Budget.of(training, self.batches_per_epoch)
        self.written: int | None = None  # the step of the weights in model.safetensors
        self.events: Events | NoEvents = NoEvents()

    def begin(self, resumed: bool) -> None:
        """The first save, or everything back from the last one."""
        if resumed:
            size = resume.load(self.live, self.folder)
            if store.metrics_size(self.folder) < size:
                self.watcher.note(f"{store.METRICS} is shorter than it was: its end is lost.")
            store.cut_metrics(self.folder, size)
        self.earlier = self.live.state.seconds
        self.started = self.saved_at = time.monotonic()
        self.speed = meters.Speed(self.started)
        self.progress = self._progress(step.Stepped(0.0, 0, 0.0), 0.0)
        if self.training.tensorboard:
            self.events = open_events(self.folder, self.live.state.step)
        self._save()

    def run(self, interrupt: Interrupt) -> Outcome:
        """Steps until the budget is spent, early stopping or a signal; saves and says which."""
        self.live.model.train()
        try:
            while (reason := self._ended(interrupt)) is None:
                self._step()
            if reason == "interrupted":
                self.watcher.note("stopping: saving what was learned")
            else:
                self._last_looks()
            self._save()
        except DivergedError as error:
            raise DivergedError(f"{error} {self._keep_best()}") from None
        finally:
            self.events.close()
        state = self.live.state
        store.append_metrics(
            self.folder,
            {
                "kind": "result",
                "step": state.step,
                "epoch": self._epoch(),
                "tokens": state.tokens,
                "seconds": self._seconds(),
                "reason": reason,
                "best_step": state.best_step,
                "figures": state.best_figures,
            },
        )
        return Outcome(
            reason,
            state.step,
            state.tokens,
            self._seconds(),
            state.best_step,
            dict(state.best_figures),
        )

    def _ended(self, interrupt: Interrupt) -> str | None:
        state = self.live.state
        if self.budget.share(state.step, self._seconds()) >= 1:
            return "budget"
        if state.waiting >= self.training.early_stop > 0:
            return "early stop"
        return "interrupted" if interrupt.asked else None

    def _step(self) -> None:
        """One step, and what is due after it."""
        state, training = self.live.state, self.training
        share = self.budget.share(state.step + 1, self._seconds())
        rate = schedules.rate(training, share, self._epoch(), state.drops)
        stepped = step.take(self.task, self.live, training, rate, self.device)
        self.progress = self._progress(stepped, rate)
        self.watcher.stepped(self.progress)
        if meters.recorded(state.step):
            self._record({"kind": "train", **dataclasses.asdict(self.progress)})
        if self.prepared.valid is not None and state.step % training.validate_every == 0:
            self._validate()
        if training.sample_every and state.step % training.sample_every == 0:
            self._sample()
        if time.monotonic() - self.saved_at >= training.save_every:
            self._save()

    def _last_looks(self) -> None:
        """A validation and a sample of the last step, where it has had none."""
        state = self.live.state
        if self.prepared.valid is not None and state.validated_at < state.step:
            self._validate()
        if self.training.sample_every and state.sampled_at < state.step:
            self._sample()

    def _validate(self) -> None:
        """Validates the weights as they are, and keeps them where they are the best so far."""
        live, state = self.live, self.live.state
        live.model.eval()
        with torch.no_grad(), self._averaged():
            validation = self.task.validate(live.model, self.prepared.valid)
        live.model.train()
        guard.check_score(self.training, state.step, validation.score, self.progress.learning_rate)
        figures = {name: float(figure) for name, figure in validation.figures.items()}
        state.validated_at = state.step
        best = state.best_score is None or validation.score < state.best_score
        if best:
            state.best_score, state.best_step = float(validation.score), state.step
            state.best_figures, state.waiting = figures, 0
            live.best = live.shown()
        else:
            state.waiting += 1
            state.drops += state.waiting % self.training.patience == 0
        self._record(
            {"kind": "validation", "step": state.step, "epoch": self._epoch(), "best": best}
            | {"score": float(validation.score), "figures": figures}
        )
        self.watcher.validated(self.progress, figures, best)

    def _sample(self) -> None:
        """Shows what the model does now, from random numbers of this step's own."""
        live, state = self.live, self.live.state
        state.sampled_at = state.step
        generator = rng.generator(live.streams.seed, f"illustrate/{state.step}")
        live.model.eval()
        with torch.no_grad(), self._averaged():
            text = self.task.illustrate(live.model, self.prepared, generator)
        live.model.train()
        if text is not None:
            self._record({"kind": "sample", "step": state.step, "text": text})
            self.watcher.sampled(self.progress, text)

    def _averaged(self) -> AbstractContextManager[None]:
        average = self.live.average
        return average.applied(self.live.model) if average else nullcontext()

    def _save(self) -> None:
        """The best weights, then all that going on needs: a kill between leaves what resumes."""
        live = self.live
        if live.best is None:
            live.state.best_step = live.state.step
        if self.written != live.state.best_step:
            weights = live.best if live.best is not None else live.shown()
            resume.write_model(self.folder, weights, live.state.best_step)
            self.written = live.state.best_step
        live.state.seconds = self._seconds()
        resume.save(live, self.folder, store.metrics_size(self.folder))
        live.state.seconds = self.earlier
        self.saved_at = time.monotonic()
        self.watcher.saved(self.progress)

    def _keep_best(self) -> str:
        """Writes the best weights where training came to nothing; a sentence that says so."""
        if self.live.best is None:
            return f"{self.folder} holds the model of its last save."
        resume.write_model(self.folder, self.live.best, self.live.state.best_step)
        return f"{self.folder} holds the best model, of step {self.live.state.best_step}."

    def _record(self, values: dict[str, Any]) -> None:
        store.append_metrics(self.folder, values)
        self.events.add(values)

    def _progress(self, stepped: step.Stepped, rate: float) -> Progress:
        state, seconds = self.live.state, self._seconds()
        return Progress(
            step=state.step,
            share=self.budget.share(state.step, seconds),
            epoch=self._epoch(),
            loss_nats=stepped.loss_nats,
            smooth_nats=state.smooth_nats or 0.0,
            learning_rate=rate,
            grad_norm=stepped.grad_norm,
            clipped_share=state.clipped / max(1, state.step),
            tokens_per_second=self.speed.add(time.monotonic(), stepped.tokens),
            eta_seconds=self.budget.eta_seconds(state.step, seconds),
        )

    def _epoch(self) -> float:
        return self.live.state.step * self.training.accumulate / self.batches_per_epoch

    def _seconds(self) -> float:
        return self.earlier + time.monotonic() - self.started
