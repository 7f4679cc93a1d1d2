"""One case of a bench: our program and theirs, built, checked and then timed to a row."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from recurra.bench.timing import (
    BLOCK_SECONDS,
    Clock,
    Program,
    Spread,
    interleaved,
    spread,
    times_as_fast,
)

OURS = "recurra"
GEMM = "torch.mm"
GEMM_SIZE = 768  # square; three such matrices fit the caches of a core or two


@dataclass(frozen=True)
class Comparison:
    """Programs that are known to compute the same."""

    ours: Program
    theirs: Mapping[str, Program]  # by whose they are
    same: str  # what was compared, and how near it was
    unit: str  # what is timed: a pass, a step, a symbol, …
    units: int = 1  # that one call of a program does
    tokens: int | None = None  # in a unit
    flop: float | None = None  # of a unit's matrix products; with it the GEMM rate is measured
    block_seconds: float = BLOCK_SECONDS  # a program runs for so long before the next has its turn
    left_out: str = ""  # who is not among theirs, and why


@dataclass(frozen=True)
class Case:
    """A comparison by name, built when its turn comes; building raises DisagreementError."""

    name: str
    build: Callable[[], Comparison]


@dataclass(frozen=True)
class Row:
    """What a case came to."""

    name: str
    unit: str
    same: str
    rounds: int
    ratios: Mapping[str, Spread]  # how many times as fast ours is as each of theirs
    seconds: Mapping[str, Spread]  # of a unit, for each program
    tokens_per_second: Mapping[str, float]  # of each program; empty where there are no tokens
    left_out: str  # who is not there, and why; empty where all are
    rates: Mapping[str, float]  # our GFLOP/s and the GEMM's; empty where no products are counted

    def json(self) -> dict[str, Any]:
        """The row as JSON values, the ratios first; every key of a number names its unit."""
        tokens = {"tokens_per_second": dict(self.tokens_per_second)}
        return {
            "name": self.name,
            "times_as_fast_as": {name: one.json() for name, one in self.ratios.items()},
            f"seconds_per_{self.unit}": {name: one.json() for name, one in self.seconds.items()},
            **(tokens if self.tokens_per_second else {}),
            **self.rates,
            "rounds": self.rounds,
            "same": self.same,
            **({"left_out": self.left_out} if self.left_out else {}),
        }


def measured(case: Case, seconds: float, clock: Clock = time.perf_counter) -> Row:
    """The case built, checked and timed for so long; raises what building raises."""
    it = case.build()
    programs = {OURS: it.ours, **it.theirs}
    beside = {} if it.flop is None else {GEMM: gemm()}
    found = interleaved({**programs, **beside}, seconds, it.block_seconds, clock)
    calls = {name: spread(times) for name, times in found.items()}
    units = {name: Spread(*(value / it.units for value in calls[name])) for name in programs}
    return Row(
        case.name,
        it.unit,
        it.same,
        len(found[OURS]),
        {name: times_as_fast(found[name], found[OURS]) for name in it.theirs},
        units,
        {} if it.tokens is None else {n: it.tokens / one.median for n, one in units.items()},
        it.left_out,
        {} if it.flop is None else _rates(it.flop / units[OURS].median, calls[GEMM].median),
    )


def gemm_gflop_per_second(seconds: float) -> float:
    """The median rate of a product of float32 matrices that fit the caches."""
    (times,) = interleaved({GEMM: gemm()}, seconds).values()
    return _gemm_rate(spread(times).median) / 1e9


def gemm() -> Program:
    """A product of two square matrices of GEMM_SIZE."""
    a, b, out = (torch.ones(GEMM_SIZE, GEMM_SIZE) for _ in range(3))
    return lambda: torch.mm(a, b, out=out)


def _rates(rate: float, gemm_seconds: float) -> dict[str, float]:
    gemm_rate = _gemm_rate(gemm_seconds)
    return {
        "gflop_per_second": rate / 1e9,
        "gemm_gflop_per_second": gemm_rate / 1e9,
        "percent_of_gemm": 100 * rate / gemm_rate,
    }


def _gemm_rate(seconds: float) -> float:
    return float(2 * GEMM_SIZE**3 / seconds)
