"""`train` and `resume`: a task's settings as flags, training watched, and what to do next."""

from __future__ import annotations

import dataclasses
import shlex
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any

from recurra import registry, runtime
from recurra.cli.bar import Bar
from recurra.cli.flags import flag, with_settings
from recurra.config import from_json, options
from recurra.errors import ConfigError, unknown
from recurra.naming import answering_command, writing_commands
from recurra.recipe import task_of
from recurra.results import counted
from recurra.training import words
from recurra.training.budget import longer
from recurra.training.lines import Lines
from recurra.training.settings import Training

if TYPE_CHECKING:
    from recurra.api import Run
    from recurra.task import Task

INTERRUPTED = 130  # the exit code of a run that Ctrl-C ended, saved or not
ENDED = {"budget": "budget spent", "early stop": "stopped early: no longer getting better"}

Device = Annotated[str, flag("auto, cpu or cuda; auto takes the GPU that torch sees, else the CPU")]


def choose_task(tokens: Sequence[str]) -> tuple[str | None, list[str]]:
    """The task a command line names, itself or by its recipe, and the tokens without it.

    Raises ConfigError for a name that is no task; None where there is neither name nor recipe.
    """
    rest = list(tokens)
    known = registry.names("tasks")
    first = rest[0] if rest and not rest[0].startswith("-") else None
    if first is None or (first not in known and _recipe(rest)):
        first = next((token for token in rest if token in known), None)
    if first is None:
        recipe = _recipe(rest)
        return task_of(recipe) if recipe else None, rest
    if first not in known:
        raise ConfigError(unknown("task", first, known))
    rest.remove(first)
    return first, rest


def train_verb(task: str | None, command: str) -> Callable[..., int]:
    """`train` of a task, with its settings as flags; without one, with the flags of every task.

    `command` is the command line as it was typed, kept in the run's model card.
    """

    def train(
        *data: Annotated[str, flag("text files, folders, or - for standard input; none: built-in")],
        out: Annotated[str | None, flag("the run to make [default: runs/<task>-<data>]")] = None,
        config: Annotated[str | None, flag("a recipe in TOML; flags override what it says")] = None,
        start_from: Annotated[
            str | None, flag("a run to take weights and vocabulary from", name="--from")
        ] = None,
        device: Device = "auto",
        seed: Annotated[int | None, flag("of all that is random [default: 0]")] = None,
        **settings: Any,
    ) -> int:
        from recurra import api

        with _watcher() as watcher:
            run = api.train(
                task,
                *data,
                out=out,
                config=config,
                start_from=start_from,
                device=device,
                seed=seed,
                watcher=watcher,
                command=command,
                **settings,
            )
        return _closing(run)

    if task is None:
        return with_settings(train, {})
    from recurra import tasks

    return with_settings(train, options(tasks.load(task).Config()))


def resume(
    run: Annotated[str, flag("the run folder to go on with")],
    /,
    *data: Annotated[str, flag("where its data are now; without any, where they were")],
    steps: Annotated[int | None, flag("a new budget in optimizer steps, in all")] = None,
    epochs: Annotated[float | None, flag("a new budget in passes over the data, in all")] = None,
    minutes: Annotated[float | None, flag("a new budget in minutes of training, in all")] = None,
    valid_file: Annotated[str | None, flag("where the run's --valid-file is now")] = None,
    test_file: Annotated[str | None, flag("where the run's --test-file is now")] = None,
    device: Device = "auto",
) -> int:
    from recurra import api

    with _watcher() as watcher:
        trained = api.resume(
            run,
            *data,
            steps=steps,
            epochs=epochs,
            minutes=minutes,
            valid_file=valid_file,
            test_file=test_file,
            device=device,
            watcher=watcher,
        )
    return _closing(trained)


def _watcher() -> Bar | Lines:
    if not sys.stdout.isatty():
        return Lines(sys.stdout)
    from rich.console import Console

    console = Console()
    return Lines(sys.stdout) if console.is_dumb_terminal else Bar(console)


def _closing(run: Run) -> int:
    """Says what came out and what can be done with it now; the exit code."""
    from recurra import tasks

    folder = shlex.quote(str(run.folder))
    task = tasks.load(run.record.task)
    outcome = run.outcome
    assert outcome is not None  # it was this process that trained
    print(
        f"{counted(outcome.steps, 'step')}, {counted(outcome.tokens, task.unit)} in "
        f"{words.duration(outcome.seconds)} ({ENDED.get(outcome.reason, outcome.reason)})"
    )
    if outcome.figures:
        best = f"best on the held-out part, at step {outcome.best_step:,}"
        print(f"{best}: {words.figures(outcome.figures)}")
    if outcome.evaluation is not None:
        print(words.shown(str(outcome.evaluation)))
    if outcome.reason == "interrupted":
        print(f"stopped and saved in {run.folder}; to go on:\n  recurra resume {folder}")
        return INTERRUPTED
    print(f"the run is in {run.folder}")
    print("try next:")
    for line in _next_commands(run, folder, task):
        print(f"  {line}")
    return 0


def _next_commands(run: Run, folder: str, task: Task) -> list[str]:
    if run.record.kind == runtime.KIND:
        asking = writing_commands(folder, run.record.facts, run.record.given)
    else:
        fields = [item.name for item in dataclasses.fields(task.Input)]
        asking = [answering_command(folder, fields, run.record.facts)]
    training, outcome = from_json(Training, run.record.config["training"]), run.outcome
    assert outcome is not None
    budget = longer(training, outcome.steps, outcome.seconds)
    again = f"recurra resume {folder} {budget}   # train on, to twice the budget in all"
    return [*asking, f"recurra evaluate {folder}", again]


def _recipe(tokens: Sequence[str]) -> str | None:
    """The value of --config among the tokens."""
    for here, following in pairwise([*tokens, None]):
        if here == "--config":
            return following
        if here and here.startswith("--config="):
            return here.removeprefix("--config=")
    return None
