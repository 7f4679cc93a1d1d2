"""The live bar while a model trains on a terminal; validations and samples scroll by above it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from recurra.cli import words
from recurra.training.watch import Progress

EVERY_SECONDS = 0.25  # a refresh takes about a millisecond, so the bar takes less than 1 %


class Bar:
    """A watcher that keeps a bar and the figures of the step at the bottom of the terminal."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._due = clock()
        self._reading_due = clock() + EVERY_SECONDS  # what is read at once needs no word
        self._last: Progress | None = None
        # No thread of rich's own: it would wake beside the training loop at any moment.
        self._live = Live(console=console, auto_refresh=False)

    def note(self, text: str) -> None:
        self._console.print(Text.assemble(("note:", "yellow"), f" {text}"))

    def reading(self, done: int, total: int) -> None:
        if (now := self._clock()) >= self._reading_due:
            self._reading_due = now + EVERY_SECONDS
            self._live.update(Text(words.reading(done, total), style="dim"), refresh=True)

    def stepped(self, progress: Progress) -> None:
        self._last = progress
        if (now := self._clock()) >= self._due:
            self._due = now + EVERY_SECONDS
            self._live.update(_panel(progress), refresh=True)

    def validated(self, progress: Progress, figures: Mapping[str, float], best: bool) -> None:
        line = f"held out at step {progress.step:,}: {words.figures(figures)}"
        self._console.print(Text.assemble(line, (", the best so far" if best else "", "green")))

    def sampled(self, progress: Progress, text: str) -> None:
        self._console.rule(f"sample at step {progress.step:,}", align="left", style="dim")
        self._console.print(Text(text))
        self._console.rule(style="dim")

    def saved(self, progress: Progress) -> None:
        """Says nothing: a save a minute would drown the rest."""

    def __enter__(self) -> Bar:
        self._live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._last is not None:
            self._live.update(_panel(self._last), refresh=True)
        self._live.stop()


def _panel(progress: Progress) -> Group:
    line = Table.grid(padding=(0, 1), expand=True)
    line.add_column(ratio=1)
    line.add_column(justify="right", no_wrap=True)
    line.add_row(ProgressBar(total=1.0, completed=min(progress.share, 1.0)), words.place(progress))
    return Group(line, Text(words.state(progress), style="dim"))
