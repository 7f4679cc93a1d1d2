"""Programs timed in turn, round after round in one process, and what the times come to.

A single measurement says little on a machine that does other things, so there is none here: every
figure is a median over rounds with the 10th and 90th percentile beside it. A ratio is taken within
each round, whose programs ran within the same fraction of a second.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

Program = Callable[[], object]

LEAST_ROUNDS = 5
WARM_UPS = 2  # calls of each program before anything counts; the last says how long one takes
SAMPLE_SECONDS = 0.005  # a program shorter than this is called several times in a row
MOST_CALLS = 10_000  # in a row


class Spread(NamedTuple):
    """The middle of many values, and where most of them lie."""

    median: float
    p10: float
    p90: float

    def json(self) -> dict[str, float]:
        """The three by name."""
        return self._asdict()


def spread(values: Sequence[float]) -> Spread:
    """Median, 10th and 90th percentile, interpolated linearly between the values."""
    return Spread(*(float(value) for value in np.percentile(values, (50, 10, 90))))


def ratio(theirs: Sequence[float], ours: Sequence[float]) -> Spread:
    """How many times as fast ours is: theirs ÷ ours of each round."""
    return spread([a / b for a, b in zip(theirs, ours, strict=True)])


def interleaved(
    programs: Mapping[str, Program],
    seconds: float,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Seconds a call of each program takes, a value a round; rounds until `seconds` are over.

    There are at least LEAST_ROUNDS. Each round begins with another program, so that none always
    comes after the same one.
    """
    calls = {name: _calls(program, clock) for name, program in programs.items()}
    names = list(programs)
    times: dict[str, list[float]] = {name: [] for name in names}
    end = clock() + seconds
    rounds = 0
    while rounds < LEAST_ROUNDS or clock() < end:
        first = rounds % len(names)
        for name in names[first:] + names[:first]:
            times[name].append(_timed(programs[name], calls[name], clock) / calls[name])
        rounds += 1
    return times


def _calls(program: Program, clock: Callable[[], float]) -> int:
    """How many calls in a row make a sample, after a warm-up."""
    for _ in range(WARM_UPS):
        took = _timed(program, 1, clock)
    return max(1, min(MOST_CALLS, round(SAMPLE_SECONDS / max(took, 1e-9))))


def _timed(program: Program, calls: int, clock: Callable[[], float]) -> float:
    start = clock()
    for _ in range(calls):
        program()
    return clock() - start
