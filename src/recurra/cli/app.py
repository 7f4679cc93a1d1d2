"""The verbs, their one-line helps and examples, and how a command line reaches one of them.

`train`, `evaluate` and `predict` take the flags of a task, so the task is found in the command line
before it is parsed. What a verb does is in the file of its name.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from typing import Any

from cyclopts import App, CycloptsError, Group

from recurra import __version__, registry
from recurra.cli.examples import below
from recurra.cli.flags import STDIN
from recurra.cli.usage import as_config_error

VERBS = {
    "train": "Train a task on your files, or on its built-in data.",
    "resume": "Go on with a run from its last save, or train it for longer.",
    "evaluate": "The exact figures of a run on held-out data or files of yours.",
    "sample": "Write text with a language model.",
    "score": "Say how likely texts are to a language model; rank several.",
    "predict": "Answer inputs with a run whose task answers.",
    "bench": "Measure speed here beside the programs it replaces.",
    "list": "List the cells or the tasks there are.",
    "doctor": "Show versions, devices, threads and how the recurrence is run.",
}
HELP = "Recurrent networks as real software: train one, sample from it, score with it."
USAGE = {
    "recurra": "COMMAND …",
    "train": "TASK [DATA …] [flags]",
    "resume": "RUN [DATA …] [flags]",
    "evaluate": "RUN [DATA …] [flags]",
    "sample": "RUN [flags]",
    "score": "RUN TEXT … [flags]",
    "predict": "RUN INPUT … | --file F | - [flags]",
    "bench": "layers|training|sampling|textbook [flags]",
    "list": "cells|tasks [flags]",
    "doctor": "[flags]",
}
Verb = Callable[..., int]


def run(argv: Sequence[str]) -> int:
    """Runs one command line; its exit code. Raises RecurraError for what cannot be."""
    app, tokens = _application(list(argv))
    try:
        verb, bound, _ = app.parse_args(
            [STDIN if token == "-" else token for token in tokens],
            print_error=False,
            exit_on_error=False,
            verbose=False,
        )
    except CycloptsError as error:
        raise as_config_error(error, list(VERBS)) from None
    code = verb(*bound.args, **bound.kwargs)
    return code if isinstance(code, int) else 0


def _application(argv: list[str]) -> tuple[App, list[str]]:
    """The application with the flags this command line may use, and the tokens to give it.

    Only the verb that is called gets its function, so that no other's imports are paid for.
    """
    app = _app("recurra", HELP, _usage("recurra"), below("recurra"), version=__version__)
    called = next((token for token in argv if not token.startswith("-")), None)
    tokens = argv
    for order, (name, help) in enumerate(VERBS.items()):
        if name != called:
            app.command(_app(name, help, _usage(name), sort_key=order))
        elif name == "train":
            train, tokens = _train(argv, order)
            app.command(train)
        else:
            rest = argv[argv.index(name) + 1 :]
            verb = _verb(name, rest)
            app.command(_app(name, help, _usage(name), below(name), default=verb, sort_key=order))
    return app, tokens


def _train(argv: list[str], order: int) -> tuple[App, list[str]]:
    """`train` with its tasks as commands, the one that is named with its settings as flags."""
    from recurra.cli.train import choose_task, train_verb

    command = shlex.join(["recurra", *argv])
    at = argv.index("train") + 1
    task, rest = choose_task(argv[at:])
    verb = train_verb(task, command)
    app = _app("train", VERBS["train"], _usage("train"), below("train"), sort_key=order)
    if task is None:
        app.default(verb)
    for name in registry.names("tasks"):
        help = registry.summary("tasks", name)
        default = {"default": verb} if name == task else {}
        usage = _usage("train").replace("TASK", name)
        examples = below("train TASK", name, registry.examples("tasks", name))
        app.command(_app(name, help, usage, examples, **default))
    return app, [*argv[:at], *([task] if task else []), *rest]


def _verb(name: str, rest: list[str]) -> Verb:
    """The function of a verb other than `train`, whose tokens are `rest`."""
    if name == "resume":
        from recurra.cli.train import resume

        return resume
    if name in ("sample", "score"):
        from recurra.cli import write

        return write.sample if name == "sample" else write.score
    if name in ("evaluate", "predict"):
        from recurra.cli import answer

        make = answer.evaluate_verb if name == "evaluate" else answer.predict_verb
        return make(answer.choose_run(rest))
    if name == "bench":
        from recurra.cli.bench import bench

        return bench
    if name == "list":
        from recurra.cli.listing import list_verb

        return list_verb
    from recurra.cli.doctor import doctor

    return doctor


def _usage(name: str) -> str:
    """The line above a verb's help."""
    return " ".join(["Usage: recurra", *([] if name == "recurra" else [name]), USAGE[name]])


def _app(
    name: str,
    help: str,
    usage: str,
    epilogue: str = "",
    *,
    default: Verb | None = None,
    **more: Any,
) -> App:
    app = App(
        name=name,
        help=help,
        usage=usage,
        group_parameters=Group.create_default_parameters("Flags"),
        help_epilogue=epilogue,
        help_format="plaintext",
        help_flags=("--help", "-h"),
        version_flags=("--version",),
        **more,
    )
    if default is not None:
        app.default(default)
    return app
