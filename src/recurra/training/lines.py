"""Plain lines while a model trains, where the output is not a terminal: for logs and pipes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TextIO

from recurra.training import words
from recurra.training.watch import Progress

EVERY_SECONDS = 10.0


class Lines:
    """A watcher that writes a line at each validation and sample, and one every ten seconds."""

    def __init__(self, out: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._out = out
        self._clock = clock
        self._due = clock()
        self._reading_due = clock() + EVERY_SECONDS  # what is read at once needs no word

    def note(self, text: str) -> None:
        self._write(f"note: {text}")

    def reading(self, done: int, total: int) -> None:
        if (now := self._clock()) >= self._reading_due:
            self._reading_due = now + EVERY_SECONDS
            self._write(words.reading(done, total))

    def stepped(self, progress: Progress) -> None:
        if (now := self._clock()) >= self._due:
            self._due = now + EVERY_SECONDS
            self._write(f"{', '.join(words.place(progress))}: {', '.join(words.state(progress))}")

    def validated(self, progress: Progress, figures: Mapping[str, float], best: bool) -> None:
        kept = ", the best so far" if best else ""
        self._write(f"held out at step {progress.step:,}: {words.figures(figures)}{kept}")

    def sampled(self, progress: Progress, text: str) -> None:
        self._write(f"--- sample at step {progress.step:,}\n{text}\n---")

    def saved(self, progress: Progress) -> None:
        """Says nothing: a save a minute would drown the rest."""

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *exception: object) -> None:
        """Nothing to put back."""

    def _write(self, text: str) -> None:
        print(words.harmless(text), file=self._out, flush=True)
