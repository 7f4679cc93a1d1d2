"""How long training goes on: steps, passes over the data, or minutes; what share of it is spent.

A budget in minutes follows the clock, earlier sessions of the run included, so that its schedule
and its end are not repeatable; steps and epochs are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from recurra.training.settings import Training

DEFAULT_MINUTES = 3.0  # where a task's settings give no budget: long enough to see it learn


@dataclass(frozen=True)
class Budget:
    """Exactly one of the two is given."""

    steps: int | None = None  # optimizer steps
    seconds: float | None = None  # wall time of training

    @classmethod
    def of(cls, training: Training, steps_per_epoch: int) -> Budget:
        """The settings' budget; `steps_per_epoch` counts batches. Minutes where none is given."""
        if training.steps is not None:
            return cls(steps=training.steps)
        if training.epochs is not None:
            batches = training.epochs * steps_per_epoch
            return cls(steps=max(1, math.ceil(batches / training.accumulate)))
        return cls(seconds=60 * (training.minutes or DEFAULT_MINUTES))

    def share(self, step: int, seconds: float) -> float:
        """How much is spent after `step` steps and `seconds` seconds, 0 to 1."""
        if self.steps is not None:
            return min(1.0, step / self.steps)
        assert self.seconds is not None
        return min(1.0, seconds / self.seconds)

    def eta_seconds(self, step: int, seconds: float) -> float:
        """Seconds that are left, at the speed so far; infinity before the first step."""
        if self.seconds is not None:
            return max(0.0, self.seconds - seconds)
        assert self.steps is not None
        return max(0, self.steps - step) * seconds / step if step else math.inf


def longer(training: Training, steps: int, seconds: float) -> str:
    """The flag of twice the budget of a run that took so much, or of more where it took more."""
    if training.steps is not None:
        return f"--steps {2 * max(training.steps, steps)}"
    if training.epochs is not None:
        return f"--epochs {2 * training.epochs:g}"
    minutes = training.minutes or DEFAULT_MINUTES
    if seconds >= 2 * 60 * minutes:
        minutes = math.ceil(seconds / 60)
    return f"--minutes {2 * minutes:g}"
