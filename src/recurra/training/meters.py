"""Running figures for those who watch: the smooth loss, the speed, and which steps are recorded."""

from __future__ import annotations

import time
from collections import deque

WINDOW_SECONDS = 5.0  # over which the speed is measured


def smooth(before: float | None, newest: float, step: int) -> float:
    """The mean of the first hundred steps, then 0.99 of the average before and 0.01 of the newest.

    `step` counts from 1, `before` is the average after the step before (None: there was none).
    """
    weight = max(0.01, 1 / step)  # an average that starts at step 1 would hang on to its loss
    return newest if before is None else (1 - weight) * before + weight * newest


def recorded(step: int) -> bool:
    """Whether metrics.jsonl gets a record of this step: three digits of every step number.

    All of the first thousand, then every tenth, from ten thousand on every hundredth, …: some
    900 records a factor of ten, whatever the budget.
    """
    interval: int = 10 ** max(0, len(str(step)) - 3)
    return step % interval == 0


class Clock:
    """Seconds of wall time that a run has been trained, earlier sessions included."""

    def __init__(self, earlier: float) -> None:
        self._start = time.monotonic() - earlier

    def seconds(self) -> float:
        """The time up to now."""
        return time.monotonic() - self._start


class Speed:
    """Tokens a second over the last seconds."""

    def __init__(self, now: float) -> None:
        self._marks: deque[tuple[float, int]] = deque([(now, 0)])  # time, tokens up to then

    def add(self, now: float, tokens: int) -> float:
        """The speed after `tokens` more at time `now` (seconds)."""
        self._marks.append((now, self._marks[-1][1] + tokens))
        while len(self._marks) > 2 and now - self._marks[1][0] >= WINDOW_SECONDS:
            self._marks.popleft()
        (then, first), (_, last) = self._marks[0], self._marks[-1]
        return (last - first) / (now - then) if now > then else 0.0
