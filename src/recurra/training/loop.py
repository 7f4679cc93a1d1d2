"""`train`: a new run or one that goes on, for any task; `session.py` is what happens in it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from typing import Any

import torch
from torch import nn

from recurra import store
from recurra.config import from_json
from recurra.errors import MissingExtraError, RunError, WriteError
from recurra.rng import Streams
from recurra.task import Prepared, Task
from recurra.training import card, curve, machine, records
from recurra.training.outcome import Outcome
from recurra.training.session import Session
from recurra.training.settings import Training
from recurra.training.signals import Interrupt
from recurra.training.watch import Steady, Watcher

__all__ = ["Outcome", "train"]


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

    `folder` is made, with `record`, the task's assets and a first save in it; `resume` goes on with
    the one that is there, where its last save stands. The first Ctrl-C or SIGTERM ends the
    step, saves and returns; the second raises KeyboardInterrupt.

    Raises RunError where the folder cannot be used, DivergedError where the loss does not come
    down (the best model is kept), ConfigError for a precision that the device lacks. An OSError of
    the watcher ends the step too, saves and is raised: a BrokenPipeError as such, else a RunError.
    """
    steady = Steady(watcher)
    session = Session(task, prepared, model, streams, device, steady)
    now = machine.facts(device)
    if resume:
        for difference in machine.differences(record.platform, now):
            steady.note(f"this machine has {difference}: the last bits may differ from one run's.")
    else:
        record = dataclasses.replace(record, platform=now)
        store.create(folder, record, task.asset_files(prepared.assets), session.save)
    with store.lock(folder), _going_on(folder), Interrupt() as interrupt:
        if resume:
            session.go_on(folder, _settings(task, folder))
            _note_lost_weights(folder, steady)
            session.save(folder)
            store.write_record(folder, record)  # its budget may be new
        outcome = session.run(folder, interrupt)
        if prepared.config.training.evaluate and outcome.reason != "interrupted":
            outcome = _evaluated(task, folder, outcome, steady)
        found = records.read(folder, steady)
        card.write(folder, record, task, model, found)
        curve.write(folder, found, task.unit, steady)
    steady.check(folder)
    return outcome


@contextmanager
def _going_on(folder: Path) -> Iterator[None]:
    """Adds to the error of a file that cannot be written how training goes on when it can."""
    try:
        yield
    except WriteError as error:
        told = str(error).removesuffix(".")
        raise RunError(f"{told}: recurra resume {quote(str(folder))}") from error


def _note_lost_weights(folder: Path, watcher: Steady) -> None:
    """A note where `model.safetensors` is not whole: the save that follows writes it again."""
    try:
        store.check_tensors(folder / store.MODEL)
    except RunError as error:
        watcher.note(f"{error} It is written again, from {store.RESUME}.")


def _evaluated(task: Task, folder: Path, outcome: Outcome, watcher: Watcher) -> Outcome:
    """The outcome with the exact figures of the weights that were kept, which go to the metrics.

    What was trained stays finished where a library for them is missing: a note says which.
    """
    try:
        exact = task.evaluate(folder, (), task.Evaluating())
    except MissingExtraError as error:
        later = f"recurra evaluate {quote(str(folder))}"
        watcher.note(f"not evaluated: {error}; then {later}")
        return outcome
    about = {"split": exact.split, "tokens": exact.tokens, "unit": exact.unit}
    figures = {"step": outcome.best_step, **about, "figures": dict(exact.figures)}
    store.append_metrics(folder, {"kind": "evaluation", **figures})
    return dataclasses.replace(outcome, evaluation=exact)


def _settings(task: Task, folder: Path) -> Training:
    """The settings of training that the run in `folder` has had so far."""
    config = from_json(task.Config, store.read_record(folder).config, str(folder / store.CONFIG))
    training: Training = config.training
    return training
