"""A short training, and a watcher that ends it where a test wants it ended."""

from __future__ import annotations

import os
import signal

from recurra.training.settings import Training
from recurra.training.watch import Progress, Quiet

PLAIN = Training(
    steps=40, batch_size=8, learning_rate=0.02, validate_every=7, sample_every=9, save_every=1e6
)


class Kill(Exception):
    """Ends training where it stands, without a save."""


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
