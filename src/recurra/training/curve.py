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
    validation = [(item["step"], _nats(item)) for item in records.validation]
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
    axes.plot(*zip(*training, strict=True), label="training (smooth)")
    if validation:
        axes.plot(*zip(*validation, strict=True), "o-", label="validation")
    axes.set(xlabel="optimizer steps", ylabel=f"nats per {unit}")
    axes.grid(alpha=0.3)
    axes.legend()
    buffer = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(buffer, format="png")
    store.write_atomic(folder / NAME, buffer.getvalue())


def _nats(validation: dict[str, Any]) -> float:
    """The validation's figure in nats: a task may choose its best model by another score."""
    figures = validation.get("figures")
    if not isinstance(figures, dict) or not is_figures(figures):
        return float(validation["score"])
    in_nats = (float(value) for name, value in figures.items() if name.startswith("nats"))
    return next(in_nats, float(validation["score"]))
