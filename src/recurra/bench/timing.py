"""Programs timed in turn, round after round in one process, and what the times come to.

A single measurement says little on a machine that does other things, so there is none here: every
figure is a median over rounds with the quartiles beside it. A ratio is taken within each round,
whose programs ran right after each other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

Program = Callable[[], object]
Clock = Callable[[], float]

LEAST_ROUNDS = 8
WARM_UPS = 3  # calls of each program before anything counts; the fastest says how long one takes
BLOCK_SECONDS = 0.02  # a program shorter than this is called several times in a row
MOST_CALLS = 10_000  # in a row


class Spread(NamedTuple):
    """The middle of many values, and the quartiles between which half of them lie."""

    median: float
    quartile_1: float
    quartile_3: float

    def json(self) -> dict[str, float]:
        """The three by name."""
        return self._asdict()


def spread(values: Sequence[float]) -> Spread:
    """Median and quartiles, interpolated linearly between the values."""
    return Spread(*(float(value) for value in np.percentile(values, (50, 25, 75))))


def times_as_fast(theirs: Sequence[float], ours: Sequence[float]) -> Spread:
    """How many times as fast ours is: theirs ÷ ours of each round."""
    return spread([a / b for a, b in zip(theirs, ours, strict=True)])


def interleaved(
    programs: Mapping[str, Program],
    seconds: float,
    block_seconds: float = BLOCK_SECONDS,
    clock: Clock = time.perf_counter,
) -> dict[str, list[float]]:
    """Seconds a call of each program takes, a value a round; rounds until `seconds` are over.

    In a round each program has one block: as many calls as take `block_seconds`, at least one;
    before them there is one that does not count, so that caches and threads are its own. There are
    LEAST_ROUNDS or more, in the orders of `order`.
    """
    calls = {name: _calls(program, block_seconds, clock) for name, program in programs.items()}
    names = list(programs)
    times: dict[str, list[float]] = {name: [] for name in names}
    end = clock() + seconds
    rounds = 0
    while rounds < LEAST_ROUNDS or clock() < end:
        for index in order(rounds, len(names)):
            name = names[index]
            programs[name]()
            times[name].append(_timed(programs[name], calls[name], clock) / calls[name])
        rounds += 1
    return times


def order(number: int, count: int) -> list[int]:
    """The order of `count` programs in round `number`: over 2·count rounds a balanced one.

    Each program is as often at each place, and as often right after each other one: what a program
    leaves behind in caches and threads falls on all alike (williams1949).
    """
    zigzag = [index // 2 if index % 2 == 0 else count - 1 - index // 2 for index in range(count)]
    turned = [(index + number) % count for index in zigzag]
    return turned[::-1] if number // count % 2 else turned


def _calls(program: Program, block_seconds: float, clock: Clock) -> int:
    """How many calls make a block, after a warm-up."""
    took = min(_timed(program, 1, clock) for _ in range(WARM_UPS))
    return max(1, min(MOST_CALLS, round(block_seconds / max(took, 1e-9))))


def _timed(program: Program, calls: int, clock: Clock) -> float:
    start = clock()
    for _ in range(calls):
        program()
    return clock() - start
