"""Training on a large text takes no more memory than on a small one: it is never held whole."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("resource", reason="the peak is asked of getrusage, which Windows lacks")

MEGABYTE = 10**6
LARGE = 200  # megabytes of text
# Holding the text, its tokens or their file's pages once would take 200. What may differ is
# the chunks that a large text is read in, some 10; the rest is room for the allocator.
MOST_GROWTH = 50
# What training takes besides the text: torch's optimizers and autograd, matplotlib, the network.
# Measured: 130 to 145. A gigabyte of text is promised to train in less than a gigabyte of ours.
MOST_ABOVE_TORCH = LARGE


def _peak(folder: Path, *arguments: str) -> float:
    """The peak of a process's resident memory, in megabytes."""
    script = Path(__file__).with_name("memory.py")
    done = subprocess.run(
        [sys.executable, script, *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "RECURRA_CACHE": str(folder / "cache")},
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout) / MEGABYTE


def _text(path: Path, megabytes: int) -> str:
    with path.open("wb") as file:
        for _ in range(megabytes):
            file.write(b"The same line again, 40 bytes of a text\n" * (MEGABYTE // 40))
    return str(path)


@pytest.mark.slow
def test_peak_memory_does_not_grow_with_the_text(tmp_path: Path) -> None:
    torch_alone = _peak(tmp_path)
    small = _peak(tmp_path, _text(tmp_path / "small.txt", 1), str(tmp_path / "small"))
    text = _text(tmp_path / "large.txt", LARGE)
    encoding = _peak(tmp_path, text, str(tmp_path / "first"))
    cached = _peak(tmp_path, text, str(tmp_path / "second"))
    for large in (encoding, cached):
        assert large - small < MOST_GROWTH
        assert large - torch_alone < MOST_ABOVE_TORCH
