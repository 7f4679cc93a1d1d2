"""A bench as a whole: its cases one after the other, and the record they make."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Protocol

import numpy as np
import torch

import recurra
from recurra.bench.comparison import GEMM_SIZE, Case, Row, gemm_gflop_per_second, measured
from recurra.bench.verdict import verdict
from recurra.config import require
from recurra.errors import ConfigError, unknown
from recurra.training import machine

BENCHES = ("layers", "training", "sampling", "textbook")
ONE_THREAD = ("sampling", "textbook")  # where one sequence has no work for more
SECONDS, RANDOM_SECONDS = 5.0, 2.0  # of timing a row; many random rows say enough together
GEMM_SECONDS = 0.5


class Watcher(Protocol):
    """Whom a bench tells how far it is."""

    def surroundings(self, record: dict[str, Any]) -> None:
        """Where it runs, before the first row."""

    def begun(self, number: int, count: int, name: str) -> None:
        """Row `number` of `count`, counted from 1, is being checked and timed."""

    def row(self, row: Row) -> None:
        """A row is there."""


def run(
    what: str,
    watcher: Watcher,
    *,
    seconds: float | None = None,
    threads: int | None = None,
    only: str = "",
    random: int | None = None,
    seed: int | None = None,
) -> dict[str, Any]:
    """The record of the bench `what`, as JSON values; the watcher is told of each row.

    seconds: of timing for each row, checks and warm-up not counted; None: SECONDS, for random
    shapes RANDOM_SECONDS. threads: torch's, put back afterwards; None: as they are, one
    for sampling and textbook. only: rows whose name has this in it. random: of `layers`, so many
    random shapes instead of its own; seed: which, 0 if None.

    Raises ConfigError for what cannot be, DisagreementError where two programs compute different
    things.
    """
    chosen = _chosen(what, only, random, seed)
    if seconds is None:
        seconds = SECONDS if random is None else RANDOM_SECONDS
    require(0 < seconds <= 3600, "seconds", seconds, "must be above 0 and at most 3600")
    if threads is None and what in ONE_THREAD:
        threads = 1
    rows: list[Row] = []
    with torch_threads(threads):
        record = {"bench": what, "seconds_per_row": seconds, **_surroundings()}
        watcher.surroundings(record)
        for number, case in enumerate(chosen, 1):
            watcher.begun(number, len(chosen), case.name)
            rows.append(measured(case, seconds))
            watcher.row(rows[-1])
    record["rows"] = [row.json() for row in rows]
    if random is not None:
        record["verdict"] = verdict(rows)
    return record


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


def _chosen(what: str, only: str, random: int | None, seed: int | None) -> list[Case]:
    """The cases asked for; ConfigError where there is none."""
    if what not in BENCHES:
        raise ConfigError(unknown("bench", what, BENCHES))
    require(random is None or what == "layers", "random", random, "only layers has random shapes")
    require(random is None or 1 <= random <= 10_000, "random", random, "must be 1 to 10,000")
    require(seed is None or random is not None, "seed", seed, "is of random shapes alone")
    require(seed is None or 0 <= seed < 2**63, "seed", seed, "must be 0 or more, below 2^63")
    make: Callable[..., list[Case]] = import_module(f"recurra.bench.{what}").cases
    cases = make() if random is None else make(random, seed or 0)
    chosen = [case for case in cases if only.lower() in case.name.lower()]
    if not chosen:
        names = "; ".join(case.name for case in cases)
        raise ConfigError(f"only = {only!r}: no row of {what} has it in its name. Have: {names}.")
    return chosen


def _surroundings() -> dict[str, Any]:
    """Versions, machine, its GEMM rate, and how busy it was when the bench began."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "recurra": recurra.__version__,
        "numpy": np.__version__,
        **machine.facts(torch.device("cpu")),
        "cores": cores,
        "dtype": "float32",
        "gemm": f"torch.mm, {GEMM_SIZE} x {GEMM_SIZE}",
        "gemm_gflop_per_second": gemm_gflop_per_second(GEMM_SECONDS),
        "load_average_1_minute": load,
    }
