"""A bench as a whole: its cases one after the other, and the record they make."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import numpy as np
import torch

import recurra
from recurra.bench.comparison import Case, Row, measured
from recurra.config import require
from recurra.errors import ConfigError, unknown
from recurra.training import machine

BENCHES = ("layers", "training", "sampling", "textbook")
NUMPY_THREADS = "OPENBLAS_NUM_THREADS"  # read once, when NumPy is first imported


def run(
    what: str,
    *,
    seconds: float,
    threads: int | None = None,
    only: str = "",
    random: int | None = None,
    told: Callable[[Row], None] = lambda row: None,
) -> dict[str, Any]:
    """The record of the bench `what`, as JSON values; each row is `told` as it is there.

    seconds: of timing for each row, checks and warm-up not counted. threads: torch's, put back
    afterwards; None: as they are, one for sampling. only: rows whose name has this in it. random:
    of `layers`, so many random shapes instead of its own.

    Raises ConfigError for what cannot be, DisagreementError where two programs compute different
    things.
    """
    chosen = _chosen(what, only, random)
    require(0 < seconds <= 3600, "seconds", seconds, "must be above 0 and at most 3600")
    if threads is None and what == "sampling":
        threads = 1
    with torch_threads(threads):
        record = {"bench": what, "seconds_per_row": seconds, **_surroundings()}
        rows = []
        for case in chosen:
            rows.append(measured(case, seconds))
            told(rows[-1])
    return {**record, "rows": [row.json() for row in rows]}


@contextmanager
def torch_threads(count: int | None) -> Iterator[None]:
    """Torch on so many threads, and then as before; None changes nothing."""
    before = torch.get_num_threads()
    if count is not None:
        require(1 <= count <= 1024, "threads", count, "must be 1 to 1024")
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _chosen(what: str, only: str, random: int | None) -> list[Case]:
    """The cases asked for; ConfigError where there is none."""
    if what not in BENCHES:
        raise ConfigError(unknown("bench", what, BENCHES))
    require(random is None or what == "layers", "random", random, "only layers has random shapes")
    require(random is None or 1 <= random <= 10_000, "random", random, "must be 1 to 10,000")
    make = import_module(f"recurra.bench.{what}").cases
    cases: list[Case] = make() if random is None else make(random)
    chosen = [case for case in cases if only.lower() in case.name.lower()]
    if not chosen:
        names = "; ".join(case.name for case in cases)
        raise ConfigError(f"only = {only!r}: no row of {what} has it in its name. Have: {names}.")
    return chosen


def _surroundings() -> dict[str, Any]:
    """Versions, machine, and how busy it was when the bench began."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    return {
        "recurra": recurra.__version__,
        "numpy": np.__version__,
        "machine": machine.facts(torch.device("cpu")),
        "cores": os.cpu_count(),
        "numpy_threads": os.environ.get(NUMPY_THREADS, "its own choice"),
        "load_average_1_minute": load,
    }
