"""What a bench's programs get from the system, in a process of its own: the setting stays."""

from __future__ import annotations

import subprocess
import sys

import pytest

from recurra.bench import memory

PROGRAM = """
import resource
from recurra.bench import memory

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def once():
    [b"x" * n for n in (20_000_000, 20_000_001, 20_000_002)]  # free at its end

memory.kept()
once()
before = faults()
once()
print(faults() - before)
"""


def test_memory_that_a_program_has_freed_costs_the_next_one_no_page_faults() -> None:
    if not memory.kept():
        pytest.skip("not glibc: its allocator has no limits to set")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True
    )
    assert int(done.stdout) < 500  # of 14,649 pages; some are the interpreter's own
