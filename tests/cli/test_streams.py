"""The command line's output where it cannot go: a reader gone, a full disk, closed streams, symbols
that a terminal lacks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from recurra.cli import app
from recurra.errors import RunError

Refusal = Callable[..., str]


@pytest.mark.parametrize(
    ("words", "both"),
    [
        (["list", "cells"], False),
        (["list", "cells"], True),
        (["--help"], False),
        (["nonsense"], True),  # writes on stderr alone
    ],
)
def test_a_reader_that_stops_reading_is_no_error(words: list[str], both: bool) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "recurra", *words]
    stderr = writing if both else subprocess.PIPE
    done = subprocess.run(command, stdout=writing, stderr=stderr, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr or b"") == (141, b"")


needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")


@needs_full
@pytest.mark.parametrize("words", [["list", "cells"], ["--help"]])
@pytest.mark.parametrize("unbuffered", ["", "1"])  # written at the last flush, or at once
def test_output_that_cannot_be_written_is_one_line_and_exit_code_2(
    words: list[str], unbuffered: str
) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "recurra", *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        )
    assert done.returncode == 2
    assert done.stderr == "recurra: cannot write the output: No space left on device.\n"


@needs_full
def test_where_no_stream_can_be_written_the_exit_code_is_still_2() -> None:
    with open("/dev/full", "w") as full:
        for words in (["list", "cells"], ["nonsense"]):
            command = [sys.executable, "-m", "recurra", *words]
            assert subprocess.run(command, stdout=full, stderr=full, check=False).returncode == 2


def test_a_symbol_that_the_terminals_encoding_lacks_is_shown_as_a_question_mark() -> None:
    ascii_only = {**os.environ, "PYTHONIOENCODING": "ascii:strict"}
    program = (
        "import sys\nfrom recurra.cli import app, main\n"
        "app.run = lambda argv: print('caf\\xe9') or print('th\\xe9', file=sys.stderr) or 0\n"
        "sys.exit(main([]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=False, env=ascii_only
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"caf?\n", b"th?\n")


def test_closed_streams_swallow_what_is_written() -> None:
    command = [sys.executable, "-c", "import sys; from recurra.cli import main; "]
    command[-1] += "sys.stdout = sys.stderr = None; sys.exit(main(['list', 'cells']))"
    assert subprocess.run(command, check=False).returncode == 0


def test_a_message_does_not_act_on_the_terminal(
    refusal: Refusal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(argv: list[str]) -> int:
        raise RunError("\x1b[2Jgone")

    monkeypatch.setattr(app, "run", fail)
    assert refusal("doctor") == r"\x1b[2Jgone"
