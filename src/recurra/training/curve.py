"""`loss.png`: the smooth loss and the validations of a run, where matplotlib is there to draw."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from recurra import store
from recurra.training.records import Records
from recurra.training.state import is_figures
from recurra.training.watch import Watcher

NAME = "loss.png"


def write(folder: Path, records: Records, unit: str, watcher: Watcher) -> None:
    """Draws the curve of the records; without matplotlib a note says how to get it.

    `unit` is what the task counts: a token, an example.
    """
    training = [(item["step"], item["smooth_nats"]) for item in records.train]
    validation = [(item["step"], *_figure(item)) for item in records.validation]
    if not training:
        return
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        watcher.note("no loss curve: it needs matplotlib (pip install matplotlib).")
        return
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes: Any = figure.add_subplot()
    lines = axes.plot(*zip(*training, strict=True), label="training (smooth)")
    axes.set(xlabel="optimizer steps", ylabel=f"nats per {unit}")
    if validation:
        steps, names, values = zip(*validation, strict=True)
        beside = axes
        if not names[-1].startswith("nats"):  # another measure has an axis of its own
            beside = axes.twinx()
            beside.set(ylabel=names[-1])
        lines += beside.plot(steps, values, "C1o-", label="validation")
    axes.grid(alpha=0.3)
    figure.legend(handles=lines, loc="outside upper center", ncols=2)
    buffer = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(buffer, format="png")
    store.write_atomic(folder / NAME, buffer.getvalue())


def _figure(validation: dict[str, Any]) -> tuple[str, float]:
    """The figure that is drawn: that in nats, else the last that a task gives, else its score."""
    figures = validation.get("figures")
    if not isinstance(figures, dict) or not figures or not is_figures(figures):
        return "score", float(validation["score"])
    name = next((name for name in figures if name.startswith("nats")), list(figures)[-1])
    return name, float(figures[name])
