"""The errors Recurra raises on purpose. Each says what was wrong, what was found and what to do.

The command line prints the message of any of them on one line and exits with code 2; any other
exception is a bug of ours and shows its traceback.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches


class RecurraError(Exception):
    """The base of every error below: catch it to catch them all."""


class ConfigError(RecurraError):
    """A setting, a name or a combination of settings that cannot be."""


class ShapeError(RecurraError):
    """An array whose shape or type is not the one that was asked for."""


class DataError(RecurraError):
    """A file or a text that cannot be used as data."""


class FlagError(DataError):
    """Data that a flag of training would have read: `found` is what they are, `advice` the flag."""

    def __init__(self, found: str, advice: str) -> None:
        super().__init__(f"{found} {advice}")
        self.found = found


class RunError(RecurraError):
    """A run folder that cannot be opened, continued or written."""


class WriteError(RunError):
    """A file of a run folder that cannot be written; what was saved before is whole."""


class MissingExtraError(RecurraError):
    """Something that an optional dependency does, and it is not installed."""


class DisagreementError(RecurraError):
    """Two programs that were to be compared in speed do not compute the same."""


class DivergedError(RecurraError):
    """Training stopped because its loss became NaN, infinite or far worse than at the start."""


@contextmanager
def reading_as_trained() -> Iterator[None]:
    """Around what reads further files for a trained run: no flag of training can be given there."""
    try:
        yield
    except FlagError as error:
        advice = "A run reads files as it read its own data: convert this one."
        raise DataError(f"{error.found} {advice}") from None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """' Did you mean X?' for the known name nearest to `name`, or '' if none is near."""
    near = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" Did you mean {near[0]!r}?" if near else ""


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """The message for a name that is not among the known: lists them and suggests the nearest."""
    known = list(known)
    return f"unknown {kind} {name!r}. Have: {', '.join(known)}.{did_you_mean(name, known)}"
