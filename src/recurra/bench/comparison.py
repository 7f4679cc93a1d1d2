"""One case of a bench: our program and theirs, built, checked and then timed to a row."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from recurra.bench.timing import Program, Spread, interleaved, ratio, spread

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
    figures: Mapping[str, float] = field(default_factory=dict)  # keys name their unit

    def json(self) -> dict[str, Any]:
        """The row as JSON values, the ratios first."""
        return {
            "name": self.name,
            "ratio": {name: one.json() for name, one in self.ratios.items()},
            f"seconds_per_{self.unit}": {name: one.json() for name, one in self.seconds.items()},
            **self.figures,
            "rounds": self.rounds,
            "same": self.same,
        }


def measured(case: Case, seconds: float, clock: Callable[[], float] = time.perf_counter) -> Row:
    """The case built, checked and timed for that long; raises DisagreementError as building does."""
    it = case.build()
    programs = {OURS: it.ours, **it.theirs}
    gemm = {} if it.flop is None else {GEMM: _gemm()}
    times = {
        name: [each / (1 if name == GEMM else it.units) for each in values]
        for name, values in interleaved({**programs, **gemm}, seconds, clock).items()
    }
    return Row(
        case.name,
        it.unit,
        it.same,
        len(times[OURS]),
        {name: ratio(times[name], times[OURS]) for name in it.theirs},
        {name: spread(times[name]) for name in programs},
        _figures(it, times),
    )


def _figures(it: Comparison, times: Mapping[str, list[float]]) -> dict[str, float]:
    """Tokens a second of each program, and our share of the GEMM rate, where they are known."""
    figures: dict[str, float] = {}
    if it.tokens is not None:
        for name in (OURS, *it.theirs):
            figures[f"tokens_per_second_{name}"] = it.tokens / spread(times[name]).median
    if it.flop is not None:
        rate = it.flop / spread(times[OURS]).median
        gemm_rate = 2 * GEMM_SIZE**3 / spread(times[GEMM]).median
        figures["gflop_per_second"] = rate / 1e9
        figures["gflop_per_second_gemm"] = gemm_rate / 1e9
        figures["percent_of_gemm"] = 100 * rate / gemm_rate
    return figures


def _gemm() -> Program:
    a, b, out = (torch.ones(GEMM_SIZE, GEMM_SIZE) for _ in range(3))
    return lambda: torch.mm(a, b, out=out)
