"""examples/min_char_rnn.py as its reader runs it."""

from __future__ import annotations

import math
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "min_char_rnn.py"
TEXT = "the quick brown fox jumps over the lazy dog\n" * 3


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, EXAMPLE, *arguments], capture_output=True, text=True, check=False
    )


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "input.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


def test_it_is_no_longer_than_the_lectures_program() -> None:
    assert len(EXAMPLE.read_text(encoding="utf-8").splitlines()) <= 112


def test_it_prints_a_sample_and_the_smooth_loss_every_100_iterations(text: Path) -> None:
    result = run(text, "--iterations", "201")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("data has 132 characters, 28 unique.\n")
    reports = re.findall(r"----\n(.*?)\n----\niter (\d+), loss: ([\d.]+)\n", result.stdout, re.S)
    assert [int(iteration) for _, iteration, _ in reports] == [0, 100, 200]
    assert {len(sample) for sample, _, _ in reports} == {200}
    assert {char for sample, _, _ in reports for char in sample} <= set(TEXT)
    losses = [float(loss) for _, _, loss in reports]
    # untrained weights of .01 predict evenly: 25 characters of ln 28 nats each
    assert losses[0] == pytest.approx(25 * math.log(28), rel=1e-4)
    assert losses[0] > losses[1] > losses[2]


def test_a_second_run_prints_the_same(text: Path) -> None:
    assert run(text, "--iterations", "101").stdout == run(text, "--iterations", "101").stdout


def test_ctrl_c_ends_it_cleanly(text: Path) -> None:
    # where a shell started these tests in the background Ctrl-C is ignored, and a child inherits it
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen(
            [sys.executable, EXAMPLE, text],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    finally:
        signal.signal(signal.SIGINT, before)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("iter 0"):
            break
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")
    assert re.search(r"\nstopped after \d+ iterations, loss: [\d.]+\n$", output)


def test_it_runs_on_a_text_shorter_than_a_chunk(tmp_path: Path) -> None:
    path = tmp_path / "hello.txt"
    path.write_text("hello", encoding="utf-8-sig")  # a byte order mark is not part of the text
    result = run(path, "--iterations", "1")
    assert result.returncode == 0
    assert result.stdout.startswith("data has 5 characters, 4 unique.\n")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file or directory"),
        (b"", "the text must have two characters or more but has 0"),
        (b"caf\xe9 noir", "can't decode byte 0xe9 in position 3"),
    ],
)
def test_a_file_it_cannot_use_is_one_line_and_exit_code_2(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "bad.txt"
    if content is not None:
        path.write_bytes(content)
    result = run(path)
    assert result.returncode == 2
    assert result.stderr.startswith(f"{path}: ")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


def test_iterations_below_1_are_refused(text: Path) -> None:
    result = run(text, "--iterations", "0")
    assert result.returncode == 2
    assert "--iterations must be 1 or more but is 0" in result.stderr
