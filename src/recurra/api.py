"""Recurra from Python: `train` and `resume`, and from `run.py` what they give: a `Run`, or `load`.

Torch is imported when something is trained or evaluated, not before.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recurra import __version__, store
from recurra.config import from_json, require, to_json, updated
from recurra.data.same import require_held_out, require_readable, require_same
from recurra.errors import ConfigError
from recurra.naming import absolute, as_command, default_folder
from recurra.recipe import Recipe, read_recipe
from recurra.rng import Streams
from recurra.run import Run, load, task_of
from recurra.text.files import printable
from recurra.training.lines import Lines
from recurra.training.settings import BUDGETS
from recurra.training.watch import Watcher

if TYPE_CHECKING:
    import torch

    from recurra.task import Prepared, Task

__all__ = ["Run", "load", "resume", "train"]

DEVICES = ("auto", "cpu", "cuda")


def train(
    task: str | None = None,
    *files: str | Path,
    out: str | Path | None = None,
    config: str | Path | None = None,
    start_from: str | Path | None = None,
    device: str = "auto",
    seed: int | None = None,
    watcher: Watcher | None = None,
    command: str | None = None,
    **settings: Any,
) -> Run:
    """Trains a task on files (on built-in data without any) into a new run folder.

    `config` is a recipe file whose task, files, seed and settings the arguments override;
    `start_from` a run whose weights and vocabulary training begins with; `settings` are the
    task's, by their flat names. `watcher` is told how it goes: by default lines on stderr,
    `recurra.training.watch.Quiet()` for silence. Raises ConfigError, DataError or RunError before
    training starts.
    """
    recipe = read_recipe(config) if config is not None else Recipe()
    name = task or recipe.task
    if name is None:
        raise ConfigError("say which task to train: `recurra list tasks` shows them.")
    if task is not None and recipe.task not in (None, task):
        raise ConfigError(f"{config} is a recipe for {recipe.task!r}, not for {task!r}.")
    chosen = task_of(name)
    names = [absolute(file) for file in files or recipe.files]
    seed = seed if seed is not None else recipe.seed or 0
    require(type(seed) is int and 0 <= seed < 2**63, "seed", seed, "must be a whole number from 0")
    old = Run(start_from) if start_from is not None else None
    if old is not None and old.record.task != name:
        raise ConfigError(f"{old.folder} is a run of {old.record.task!r}, not of {name!r}.")
    base = chosen.Config()
    if old is not None:
        base = chosen.continued(_config(chosen, old.folder, old.record), same_data=not names)
        require_readable(old.folder, names or old.record.given, own=not names)
        names = names or old.record.given
    out = out if out is not None else recipe.out
    require(out is None or str(out) != "", "out", out, "must name a folder")
    folder = Path(out) if out is not None else default_folder(name, names)
    store.check_new(folder)
    wanted = updated(base, _settings(recipe, settings))
    where = _device(device)
    streams = Streams(seed)
    assets = chosen.read_assets(old.folder) if old else None
    watcher = watcher or Lines(sys.stderr)
    prepared = chosen.prepare(wanted, names, streams, assets, extend=True, progress=watcher.reading)
    model = chosen.build(prepared.config, prepared.assets, streams.init)
    if old:
        chosen.warm_start(model, prepared, old.folder)
    arguments = as_command(name, names, folder, seed, config, start_from, settings)
    record = store.RunRecord(
        kind=chosen.kind,
        task=name,
        seed=seed,
        version=__version__,
        config=to_json(prepared.config),
        given=names,
        files=[dataclasses.asdict(source) for source in prepared.sources],
        command=printable(command or arguments),
        facts=dict(prepared.facts),
    )
    return _fit(chosen, prepared, model, folder, record, streams, where, watcher, new=True)


def resume(
    run: str | Path,
    *files: str | Path,
    steps: int | None = None,
    epochs: float | None = None,
    minutes: float | None = None,
    valid_file: str | Path | None = None,
    test_file: str | Path | None = None,
    device: str = "auto",
    watcher: Watcher | None = None,
) -> Run:
    """Goes on with a run where its last save stands; a budget given replaces the run's (in all).

    `files`, `valid_file` and `test_file` say where the run's data are now; without any they are
    where they were.
    On the CPU the end is bit for bit that of a run that was never interrupted, for budgets in
    steps or epochs. Raises DataError where the data is no longer what the run was trained on.
    """
    folder = Path(run)
    record = store.read_record(folder)
    task = task_of(record.task)
    config = _config(task, folder, record)
    given = [absolute(file) for file in files] or record.given
    budget = {"steps": steps, "epochs": epochs, "minutes": minutes}
    if any(value is not None for value in budget.values()):
        config = updated(config, budget)
    held_out = {"valid_file": valid_file, "test_file": test_file}
    moved = {name: absolute(file) for name, file in held_out.items() if file is not None}
    for name, file in moved.items():
        has_one = getattr(config.data, name, None) is not None
        require(has_one, name, file, f"{folder} was not given one when it was trained")
    config = updated(config, moved)
    record = dataclasses.replace(record, config=to_json(config), given=given)
    where = _device(device)
    streams = Streams(record.seed)
    assets = task.read_assets(folder)
    watcher = watcher or Lines(sys.stderr)
    require_readable(folder, given, own=not files)
    require_held_out(folder, record)
    prepared = task.prepare(config, given, streams, assets, progress=watcher.reading)
    require_same(folder, record.files, prepared.sources)
    model = task.build(prepared.config, assets, streams.init)
    return _fit(task, prepared, model, folder, record, streams, where, watcher, new=False)


def _fit(
    task: Task,
    prepared: Prepared[Any],
    model: torch.nn.Module,
    folder: Path,
    record: store.RunRecord,
    streams: Streams,
    device: torch.device,
    watcher: Watcher,
    *,
    new: bool,
) -> Run:
    from recurra.training import loop

    for note in prepared.notes:
        watcher.note(note)
    outcome = loop.train(
        task,
        prepared,
        model,
        folder,
        record=record,
        streams=streams,
        device=device,
        watcher=watcher,
        resume=not new,
    )
    return Run(folder, outcome)


def _device(name: str) -> torch.device:
    import torch

    # no nearest is named: that of gpu is cpu
    require(name in DEVICES, "device", name, f"must be one of {', '.join(DEVICES)}")
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device = 'cuda': torch sees no CUDA device here; use cpu or auto.")
    found = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(found if name == "auto" else name)


def _config(task: Task, folder: Path, record: store.RunRecord) -> Any:
    """The config of the run in `folder`; ConfigError where it is damaged."""
    return from_json(task.Config, record.config, f"{folder / store.CONFIG}: config")


def _settings(recipe: Recipe, given: dict[str, Any]) -> dict[str, Any]:
    """The recipe's settings with those given in place; a budget that is given is the only one."""
    rebudgeted = any(given.get(name) is not None for name in BUDGETS)
    kept = {
        name: value
        for name, value in recipe.settings.items()
        if not (rebudgeted and name in BUDGETS)
    }
    return {**kept, **given}
