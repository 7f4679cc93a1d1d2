"""The live bar while a model trains on a terminal; validations and samples scroll by above it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from recurra.training import words
from recurra.training.watch import Progress

EVERY_SECONDS = 0.25  # a refresh takes about a millisecond, so the bar takes less than 1 %
SHORTEST = 12  # columns of a bar that still shows something


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
        self._console.print(Text.assemble(("note:", "yellow"), f" {words.harmless(text)}"))

    def reading(self, done: int, total: int) -> None:
        if (now := self._clock()) >= self._reading_due:
            self._reading_due = now + EVERY_SECONDS
            self._live.update(Text(words.reading(done, total), style="dim"), refresh=True)

    def stepped(self, progress: Progress) -> None:
        self._last = progress
        if (now := self._clock()) >= self._due:
            self._due = now + EVERY_SECONDS
            self._live.update(_Panel(progress), refresh=True)

    def validated(self, progress: Progress, figures: Mapping[str, float], best: bool) -> None:
        line = f"held out at step {progress.step:,}: {words.figures(figures)}"
        self._console.print(Text.assemble(line, (", the best so far" if best else "", "green")))

    def sampled(self, progress: Progress, text: str) -> None:
        self._console.rule(f"sample at step {progress.step:,}", align="left", style="dim")
        self._console.print(Text(words.harmless(text)))
        self._console.rule(style="dim")

    def saved(self, progress: Progress) -> None:
        """Says nothing: a save a minute would drown the rest."""

    def __enter__(self) -> Bar:
        self._live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._last is not None:
            self._live.update(_Panel(self._last), refresh=True)
        self._live.stop()


@dataclass(frozen=True)
class _Panel:
    """The bar beside how far it is, above it where the terminal is narrow; then the figures."""

    progress: Progress

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = options.max_width
        place = words.place(self.progress)
        bar = ProgressBar(total=1.0, completed=min(self.progress.share, 1.0))
        line = Table.grid(padding=(0, 1), expand=True)
        line.add_column(ratio=1)
        if width >= SHORTEST + 1 + len(", ".join(place)):
            line.add_column(justify="right", no_wrap=True)
            line.add_row(bar, ", ".join(place))
            yield line
        else:
            line.add_row(bar)
            yield line
            yield from _packed(place, width, style="")
        yield from _packed(words.state(self.progress), width, style="dim")


def _packed(parts: Iterable[str], width: int, style: str) -> Iterable[Text]:
    """The parts with commas in few lines, none broken in two that is not wider than a line."""
    lines: list[str] = []
    for part in parts:
        longer = f"{lines[-1]}, {part}" if lines else part
        if lines and len(longer) < width:  # a comma may follow
            lines[-1] = longer
        else:
            lines.append(part)
    ends = [","] * (len(lines) - 1) + [""]
    for line, end in zip(lines, ends, strict=True):
        yield Text(line + end, style=style)
