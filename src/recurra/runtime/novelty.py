"""How sampled names relate to the names trained on: copied, new, said twice; and how long they are.

Whole names are compared, as they are written. Running text is measured in `report`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from recurra.errors import DataError
from recurra.results import counted


@dataclass(frozen=True)
class NoveltyReport:
    """Counts of sampled names, and their lengths in characters."""

    names: int
    in_training: int  # that stand in the training part
    repeated: int  # that were sampled before
    mean_length: float
    longest: int

    @property
    def new(self) -> int:
        """How many do not stand in the training part."""
        return self.names - self.in_training

    def json(self) -> dict[str, Any]:
        """The report as JSON values."""
        return {
            "names": self.names,
            "in_training": self.in_training,
            "new": self.new,
            "repeated": self.repeated,
            "mean_length": self.mean_length,
            "longest": self.longest,
        }

    def __str__(self) -> str:
        return (
            f"{counted(self.names, 'name')}: {self.new:,} new, {self.in_training:,} in the "
            f"training part, {self.repeated:,} sampled before\n"
            f"  {self.mean_length:.2f} characters on average, the longest {self.longest:,}"
        )


def report(samples: Sequence[str], training: Iterable[str]) -> NoveltyReport:
    """How many of the samples are among the training names, and how long they are.

    Raises DataError where there is no sample.
    """
    if not samples:
        raise DataError("there is nothing to report on: no name was sampled.")
    known = set(training)
    lengths = [len(name) for name in samples]
    return NoveltyReport(
        names=len(samples),
        in_training=sum(name in known for name in samples),
        repeated=len(samples) - len(set(samples)),
        mean_length=sum(lengths) / len(lengths),
        longest=max(lengths),
    )
