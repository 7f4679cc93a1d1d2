"""One process's part of a run: steps, validations, samples and saves until the budget is spent.

Validation and samples come by the number of the step, saves by the clock. What a step is stands in
`step.py`, what is saved in `resume.py`; who watches is told by `watch.py` and can change nothing.
"""

from __future__ import annotations

import dataclasses
import math
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from shlex import quote
from typing import Any

import torch
from torch import nn

from recurra import rng, store
from recurra.errors import ConfigError, DivergedError, RunError, ShapeError
from recurra.results import counted
from recurra.rng import Streams
from recurra.task import Prepared, Task
from recurra.training import budget, guard, meters, optimizers, resume, schedules, step
from recurra.training.ema import Average
from recurra.training.events import Events, NoEvents, open_events
from recurra.training.outcome import NOTHING_LEFT, OUTCOME, Outcome
from recurra.training.precision import Precision
from recurra.training.settings import Training
from recurra.training.signals import Interrupt
from recurra.training.state import State
from recurra.training.watch import Progress, Steady

# What a model raises for a carried state that is another's.
_MISFITS = (ShapeError, RuntimeError, AttributeError, LookupError, TypeError, ValueError)


class Session:
    """Everything at its start; `go_on` puts it where a saved run stands, `run` trains."""

    def __init__(
        self,
        task: Task,
        prepared: Prepared[Any],
        model: nn.Module,
        streams: Streams,
        device: torch.device,
        watcher: Steady,
    ) -> None:
        self.task, self.prepared, self.device, self.watcher = task, prepared, device, watcher
        self.training: Training = prepared.config.training
        self.batches_per_epoch = max(1, prepared.train.steps_per_epoch)
        self.budget = budget.Budget.of(self.training, self.batches_per_epoch)
        precision = Precision(self.training.precision, device)
        model.to(device)
        for parameter in model.parameters():
            # In torch's memory, not NumPy's: the last bit of a product may depend on its alignment.
            parameter.data = parameter.data.clone()
        self.live = resume.Live(
            model,
            self.training.optimizer,
            optimizers.build(self.training, model),
            Average(model, self.training.ema) if self.training.ema else None,
            precision,
            prepared.train,
            streams,
            State(),
        )
        self.model_step: int | None = None  # the step of the weights in model.safetensors
        self.carried_from: Path | None = None  # the file of a carried state that no step used yet
        self.rise = guard.Rise(self.training)
        self.events: Events | NoEvents = NoEvents()
        self._start_clocks()

    def go_on(self, folder: Path, before: Training) -> None:
        """Everything as the last save in `folder` has it; the metrics cut back to it.

        `before`: the run's settings so far. Another budget than theirs is a wish to train on: early
        stopping then counts anew.
        """
        size = resume.load(self.live, folder, self.device)
        if self.budget != budget.Budget.of(before, self.batches_per_epoch):
            self._require_room()
            self.live.state.waiting = 0
        self.carried_from = folder / store.RESUME if self.live.carried is not None else None
        if store.metrics_size(folder) < size:
            self.watcher.note(f"{store.METRICS} is shorter than it was: its end is lost.")
        store.cut_metrics(folder, size)
        self._start_clocks()

    def _require_room(self) -> None:
        """ConfigError where a new budget is spent already: the run would only lose its own."""
        state = self.live.state
        if self.budget.share(state.step, state.seconds) >= 1:
            raise ConfigError(
                f"the run has trained {state.step:,} steps in {state.seconds / 60:.1f} minutes. "
                "A budget counts those, too: give a larger one."
            )

    def save(self, folder: Path) -> None:
        """The best weights, then all that going on needs: a kill between leaves what resumes."""
        live, state = self.live, self.live.state
        if live.best is None:
            state.best_step = state.step
        if self.model_step != state.best_step:
            weights = live.best if live.best is not None else live.shown()
            resume.write_model(folder, weights, state.best_step)
            self.model_step = state.best_step
        state.seconds = self.clock.seconds()
        resume.save(live, folder, store.metrics_size(folder))
        self.saved_at = self.clock.seconds()
        self.watcher.saved(self.progress)

    def run(self, folder: Path, interrupt: Interrupt) -> Outcome:
        """Steps until the budget is spent, early stopping or a signal; saves and says which.

        A watcher that cannot write ends it as a signal does.
        """
        if self.training.tensorboard:
            self.events = open_events(folder, self.live.state.step)
        self.live.model.train()
        begun = self.live.state.step
        try:
            while (reason := self._ended(interrupt)) is None:
                self._step(folder)
            if reason == "interrupted":
                self.watcher.note("stopping: saving what was learned")
            else:
                self._last_looks(folder)
            if self.live.state.step == begun and reason in NOTHING_LEFT:
                longer = budget.longer(self.training, begun, self.clock.seconds())
                self.watcher.note(
                    f"{NOTHING_LEFT[reason]}, after {counted(begun, 'step')}: nothing was trained. "
                    f"A larger budget trains it on: recurra resume {quote(str(folder))} {longer}"
                )
            self.save(folder)
        except DivergedError as error:
            raise DivergedError(f"{error} {self._keep_best(folder)}") from None
        finally:
            self.events.close()
        state = self.live.state
        outcome = Outcome(
            reason,
            state.step,
            state.tokens,
            self.clock.seconds(),
            state.best_step,
            dict(state.best_figures),
        )
        # After the save: a run that goes on forgets this line.
        ended = {name: getattr(outcome, name) for name in OUTCOME}
        store.append_metrics(folder, {"kind": "result", "epoch": self._epoch(), **ended})
        return outcome

    def _start_clocks(self) -> None:
        self.clock = meters.Clock(self.live.state.seconds)
        self.speed = meters.Speed(self.clock.seconds())
        self.saved_at = self.clock.seconds()
        self.progress = self._progress(step.Stepped(0.0, 0, 0.0), 0.0)

    def _ended(self, interrupt: Interrupt) -> str | None:
        state = self.live.state
        if self.budget.share(state.step, self.clock.seconds()) >= 1:
            return "budget"
        if state.waiting >= self.training.early_stop > 0:
            return "early stop"
        return "interrupted" if interrupt.asked or self.watcher.error else None

    def _step(self, folder: Path) -> None:
        """One step, and what is due after it."""
        state, training = self.live.state, self.training
        share = self.budget.share(state.step + 1, self.clock.seconds())
        rate = schedules.rate(training, share, self._epoch(), state.drops)
        stepped = self._take(rate)
        self.progress = self._progress(stepped, rate)
        self.watcher.stepped(self.progress)
        if meters.recorded(state.step):
            self._record(folder, {"kind": "train", **dataclasses.asdict(self.progress)})
        if self.prepared.valid is not None and state.step % training.validate_every == 0:
            self._validate(folder)
        if training.sample_every and state.step % training.sample_every == 0:
            self._sample(folder)
        if self.clock.seconds() - self.saved_at >= training.save_every:
            self.save(folder)

    def _take(self, rate: float) -> step.Stepped:
        """The step itself; RunError where a carried state from a file does not fit the model."""
        carried_from, self.carried_from = self.carried_from, None
        try:
            return step.take(self.task, self.live, self.training, rate)
        except _MISFITS as error:
            if carried_from is None:
                raise
            why = str(error).partition("\n")[0]
            raise RunError(
                f"{carried_from} does not seem to fit the model: the first step with its carried "
                f"state failed: {why}"
            ) from error

    def _last_looks(self, folder: Path) -> None:
        """A validation and a sample of the last step, where it has had none."""
        state = self.live.state
        if self.prepared.valid is not None and state.validated_at < state.step:
            self._validate(folder)
        if self.training.sample_every and state.sampled_at < state.step:
            self._sample(folder)

    def _validate(self, folder: Path) -> None:
        """Validates the weights as they are, and keeps them where they are the best so far."""
        live, state = self.live, self.live.state
        live.model.eval()
        with torch.no_grad(), self._averaged():
            validation = self.task.validate(live.model, self.prepared.valid)
        live.model.train()
        score = float(validation.score)
        guard.check_score(self.training, state.step, score, self.progress.learning_rate)
        named = {name: float(figure) for name, figure in validation.figures.items()}
        # One that is not finite says nothing, and JSON has no word for it.
        figures = {name: figure for name, figure in named.items() if math.isfinite(figure)}
        best = state.best_score is None or score < state.best_score
        worse = state.best_score is not None and score > state.best_score
        state.validated_at = state.step
        if best:
            state.best_score, state.best_step = score, state.step
            state.best_figures, state.waiting = figures, 0
            live.best = live.shown()
        else:
            state.waiting += 1
            state.drops += state.waiting % self.training.patience == 0
        record = {"kind": "validation", "step": state.step, "epoch": self._epoch()}
        self._record(folder, {**record, "best": best, "score": score, "figures": figures})
        self.watcher.validated(self.progress, figures, best)
        if told := self.rise.told(self.progress.smooth_nats, worse, state.best_step):
            self.watcher.note(told)

    def _sample(self, folder: Path) -> None:
        """Shows what the model does now, from random numbers of this step's own."""
        live, state = self.live, self.live.state
        state.sampled_at = state.step
        generator = rng.generator(live.streams.seed, f"illustrate/{state.step}")
        live.model.eval()
        with torch.no_grad(), self._averaged():
            text = self.task.illustrate(live.model, self.prepared, generator)
        live.model.train()
        if text is not None:
            self._record(folder, {"kind": "sample", "step": state.step, "text": text})
            self.watcher.sampled(self.progress, text)

    def _averaged(self) -> AbstractContextManager[None]:
        average = self.live.average
        return average.applied(self.live.model) if average else nullcontext()

    def _keep_best(self, folder: Path) -> str:
        """Writes the best weights where training came to nothing; a sentence that says so."""
        if self.live.best is None:
            return f"{folder} holds the model of its last save."
        resume.write_model(folder, self.live.best, self.live.state.best_step)
        return f"{folder} holds the best model, of step {self.live.state.best_step}."

    def _record(self, folder: Path, values: dict[str, Any]) -> None:
        store.append_metrics(folder, values)
        self.events.add(values)

    def _progress(self, stepped: step.Stepped, rate: float) -> Progress:
        state, seconds = self.live.state, self.clock.seconds()
        return Progress(
            step=state.step,
            share=self.budget.share(state.step, seconds),
            epoch=self._epoch(),
            loss_nats=stepped.loss_nats,
            smooth_nats=state.smooth_nats or 0.0,
            learning_rate=rate,
            grad_norm=stepped.grad_norm,
            clipped_share=state.clipped / max(1, state.step),
            tokens_per_second=self.speed.add(seconds, stepped.tokens),
            unit=self.task.unit,
            eta_seconds=self.budget.eta_seconds(state.step, seconds),
        )

    def _epoch(self) -> float:
        return self.live.state.step * self.training.accumulate / self.batches_per_epoch
