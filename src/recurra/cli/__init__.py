"""The command line: `main` runs one command and says how it went as an exit code.

0: done · 2: something was asked that cannot be, or the output cannot be written, one line on stderr
says what · 130: interrupted · 141: whoever read our output stopped reading. Any other exception is
a bug of ours and shows its traceback. Nothing here knows a task by its name, and torch is imported
by the verbs that need it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TextIO

from recurra.errors import MissingExtraError, RecurraError

__all__ = ["main"]

ASKED_WRONGLY, INTERRUPTED, BROKEN_PIPE = 2, 130, 141
TORCH_MISSING = 'this needs torch, which is not installed: pip install "recurra[torch]"'


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code of `recurra <argv>`; without `argv`, of the process's own arguments."""
    try:
        _prepare_streams()
        code = _run(list(sys.argv[1:] if argv is None else argv))
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        return code
    except KeyboardInterrupt:
        print("recurra: stopped at once; what was saved before is kept", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        return _stopped_reading()
    except SystemExit as error:
        # rich's answer to a broken pipe, which is not ours
        if isinstance(error.__context__, BrokenPipeError):
            return _stopped_reading()
        raise
    except OSError as error:
        # files are read and written under errors of our own: what has no name is a stream
        if error.filename is not None or error.errno is None:
            raise
        return _cannot_write(error)


def _run(argv: list[str]) -> int:
    try:
        from recurra.cli.app import run

        return run(argv)
    except RecurraError as error:
        return _refuse(error)
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        return _refuse(MissingExtraError(TORCH_MISSING))


def _refuse(error: RecurraError) -> int:
    from recurra.training.words import harmless

    print("recurra:", harmless(" ".join(str(error).split())), file=sys.stderr)
    return ASKED_WRONGLY


def _stopped_reading() -> int:
    for stream in (sys.stdout, sys.stderr):
        _abandon(stream)
    return BROKEN_PIPE


def _cannot_write(error: OSError) -> int:
    _abandon(sys.stdout)
    try:
        print(f"recurra: cannot write the output: {error.strerror}.", file=sys.stderr, flush=True)
    except OSError:
        _abandon(sys.stderr)  # nobody is left to tell
    return ASKED_WRONGLY


def _prepare_streams() -> None:
    """A symbol that the terminal's encoding lacks is shown as ?; a closed stream swallows."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # `>&-` closed it
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")


def _abandon(stream: TextIO) -> None:
    """Gives what a stream still holds somewhere to go: Python flushes it once more at exit."""
    try:
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
