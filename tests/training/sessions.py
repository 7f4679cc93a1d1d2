"""Short trainings, and watchers: one notes what it is told, one ends where a test wants it to."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping

from recurra.training.settings import Training
from recurra.training.watch import Progress, Quiet

PLAIN = Training(
    steps=40, batch_size=8, learning_rate=0.02, validate_every=7, sample_every=9, save_every=1e6
)
SHORT = Training(
    steps=20, batch_size=8, learning_rate=0.02, validate_every=5, sample_every=8, save_every=1e6
)


class Kill(Exception):
    """Ends training where it stands, without a save."""


class Diary(Quiet):
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.steps: list[Progress] = []
        self.validations: list[tuple[int, bool]] = []
        self.samples: list[str] = []
        self.saves: list[int] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def stepped(self, progress: Progress) -> None:
        self.steps.append(progress)

    def validated(self, progress: Progress, figures: Mapping[str, float], best: bool) -> None:
        self.validations.append((progress.step, best))

    def sampled(self, progress: Progress, text: str) -> None:
        self.samples.append(text)

    def saved(self, progress: Progress) -> None:
        self.saves.append(progress.step)


class Stops(Quiet):
    """Interrupts by Ctrl-C, or kills, after a step."""

    def __init__(self, step: int, *, kill: bool = False) -> None:
        self.step, self.kill = step, kill
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def stepped(self, progress: Progress) -> None:
        if progress.step == self.step and self.kill:
            raise Kill
        if progress.step == self.step:
            os.kill(os.getpid(), signal.SIGINT)
