"""The command line: `main` runs one command and says how it went as an exit code.

0: done · 2: something was asked that cannot be, one line on stderr says what · 130: interrupted ·
141: whoever read our output stopped reading. Any other exception is a bug of ours and shows its
traceback. Nothing here knows a task by its name, and torch is imported by the verbs that need it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from recurra.errors import MissingExtraError, RecurraError

__all__ = ["main"]

ASKED_WRONGLY, INTERRUPTED, BROKEN_PIPE = 2, 130, 141
TORCH_MISSING = 'this needs torch, which is not installed: pip install "recurra[torch]"'


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code of `recurra <argv>`; without `argv`, of the process's own arguments."""
    from recurra.cli.app import run

    try:
        code = run(list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
        return code
    except RecurraError as error:
        return _refuse(error)
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        return _refuse(MissingExtraError(TORCH_MISSING))
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Python flushes stdout once more at exit: give it somewhere to go
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE


def _refuse(error: RecurraError) -> int:
    print("recurra:", " ".join(str(error).split()), file=sys.stderr)
    return ASKED_WRONGLY
