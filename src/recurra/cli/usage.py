"""What cyclopts could not make of a command line, as one line in Recurra's words."""

from __future__ import annotations

from collections.abc import Sequence

from cyclopts import CoercionError, CycloptsError, MissingArgumentError, UnknownCommandError
from cyclopts.exceptions import RepeatArgumentError, UnknownOptionError, UnusedCliTokensError

from recurra import registry
from recurra.cli.flags import restored
from recurra.config import options
from recurra.errors import ConfigError, did_you_mean, unknown

SETTINGS = {"train": "Config", "evaluate": "Evaluating", "predict": "Answering"}  # of a task


def as_config_error(error: CycloptsError, verbs: list[str]) -> ConfigError:
    """The same complaint as a ConfigError: what was wrong and where to look."""
    chain = error.command_chain or ()
    command = " ".join(["recurra", *chain])
    run = "RUN " if chain and chain[0] in SETTINGS and chain[0] != "train" else ""  # has the flags
    see = f"`{command} {run}--help` shows what it takes."
    if isinstance(error, UnknownCommandError) and error.unused_tokens:
        return ConfigError(unknown("command", error.unused_tokens[0], verbs))
    if isinstance(error, UnknownOptionError):
        name = error.token.keyword or error.token.value
        if having := _others(chain, name):
            return ConfigError(f"unknown flag {name!r} here: it is of {', '.join(having)}. {see}")
        known = [name for argument in error.argument_collection for name in argument.names]
        return ConfigError(f"unknown flag {name!r}.{did_you_mean(name, known)} {see}")
    if isinstance(error, MissingArgumentError) and error.argument is not None:
        return ConfigError(f"{_needed(error, command)} {see}")
    if isinstance(error, UnusedCliTokensError) and error.unused_tokens:
        return ConfigError(f"{command} has no use for {restored(error.unused_tokens[0])!r}. {see}")
    if isinstance(error, RepeatArgumentError):
        return ConfigError(f"{error.token.keyword} was given twice. {see}")
    # every other kind of value is read by flags.read_value, which has words of its own
    if isinstance(error, CoercionError) and error.token is not None:
        return ConfigError(
            f"{error.token.keyword} {error.token.value!r}: must be true or false. {see}"
        )
    return ConfigError(f"{str(error).strip()} {see}")


def _others(command: Sequence[str], name: str) -> list[str]:
    """The tasks for which the verb has this flag."""
    settings = SETTINGS.get(command[0]) if command else None
    if settings is None:
        return []
    try:
        from recurra import tasks
    except ModuleNotFoundError:  # no torch, which tasks need
        return []
    bare = name.removeprefix("--").partition("=")[0].replace("-", "_")

    def has(task: str) -> bool:
        known = options(getattr(tasks.load(task), settings)())
        denied = known.get(bare.removeprefix("no_"))
        return bare in known or (denied is not None and denied.type is bool)

    return [task for task in registry.names("tasks") if has(task)]


def _needed(error: MissingArgumentError, command: str) -> str:
    assert error.argument is not None
    if error.keyword or error.argument.tokens or not error.argument.field_info.is_positional:
        return f"{error.keyword or error.argument.name} needs a value."
    return f"{command} needs {error.argument.name.lstrip('-').upper()}."
