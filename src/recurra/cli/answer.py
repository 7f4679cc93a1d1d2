"""`evaluate` and `predict`: what the task of a run can be asked, with the task's own flags."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from recurra import store
from recurra.cli import inputs
from recurra.cli.flags import flag, switch, with_settings
from recurra.config import Option, options
from recurra.errors import ConfigError
from recurra.results import counted
from recurra.training.words import as_json, shown

AsJson = Annotated[bool, switch("JSON instead, one object a line", name="--json")]


def choose_run(tokens: Sequence[str]) -> str | None:
    """The run folder a command line names: its first token, else the first that is a folder."""
    if tokens and not tokens[0].startswith("-"):
        return tokens[0]
    return next((token for token in tokens if Path(token).is_dir()), None)


def evaluate_verb(folder: str | None) -> Callable[..., int]:
    """`evaluate` with the flags of the run's task; without a run, with none of them."""

    def evaluate(
        run: Annotated[str, flag("the run folder")],
        /,
        *data: Annotated[str, flag("files to evaluate on; without any, the run's held-out part")],
        json_: AsJson = False,
        **asked: Any,
    ) -> int:
        from recurra import api

        result = api.load(run).evaluate(*data, **asked)
        print(as_json(result.json()) if json_ else shown(str(result)))
        return 0

    return with_settings(evaluate, _settings(folder, "Evaluating"))


def predict_verb(folder: str | None) -> Callable[..., int]:
    """`predict` with the flags of the run's task; without a run, with none of them."""

    def predict(
        run: Annotated[str, flag("the run folder")],
        /,
        *given: Annotated[
            str, flag("the inputs, the fields of one after another; - reads lines", name="INPUT")
        ],
        file: Annotated[
            str | None,
            flag(
                "inputs from a .jsonl, .csv or .tsv file by field name, a file in the form of the "
                "run's own data, or a line each; blank lines are left out"
            ),
        ] = None,
        json_: AsJson = False,
        **asked: Any,
    ) -> int:
        from recurra import api, tasks

        opened = api.load(run)
        task = tasks.load(opened.record.task)
        kind, form = task.Input, task.input_form(Path(run))
        if (file is not None) == bool(given):
            raise ConfigError("predict needs INPUT arguments, - or --file F; one of the three.")
        if given == ("-",):
            read = inputs.from_stdin(kind, form)
        elif file is not None:
            read = inputs.from_file(kind, Path(file), form)
        else:
            if not form.files:
                inputs.refuse_files(given, "--file FILE to answer what is in it")
            read = inputs.from_arguments(kind, given)
        if read.blank:  # on stderr: stdout has an answer an input, and a program may count them
            print(f"note: left out: {counted(read.blank, 'blank line')}.", file=sys.stderr)
        for answer in opened.predict(read.examples, **asked):
            if json_:
                print(as_json(answer.json() if hasattr(answer, "json") else answer))
            else:
                print(shown(str(answer)))
        return 0

    return with_settings(predict, _settings(folder, "Answering"))


def _settings(folder: str | None, asking: str) -> Mapping[str, Option]:
    """The settings of what the run's task may be asked; none without a run."""
    if folder is None:
        return {}
    name = store.read_record(Path(folder)).task
    from recurra import tasks

    return options(getattr(tasks.load(name), asking)())
