"""`confusion.png`: which class was taken for which, where matplotlib is there to draw."""

from __future__ import annotations

import dataclasses
import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from recurra import store
from recurra.class_results import ClassReport, cut
from recurra.config import require
from recurra.errors import MissingExtraError, RunError

NAME = "confusion.png"
WIDEST = 20  # characters of a label beside its row
COUNTED = 20  # classes up to which each field shows its count
NAMED = 60  # classes up to which each row and column shows its label; the picture grows to here


def kept(report: ClassReport, folder: Path, asked: str | None) -> ClassReport:
    """The report with a note of where its picture is: in the file asked for, else in the run.

    Where nobody asked for a file, a picture that cannot be drawn or written is a note, too. Raises
    MissingExtraError or RunError where somebody did.
    """
    path = Path(asked) if asked is not None else folder / NAME
    try:
        store.write_atomic(path, draw(report))
        note = f"the confusion matrix is drawn in {path}"
    except (MissingExtraError, RunError) as error:
        if asked is not None:
            raise
        note = f"no picture of the confusion matrix: {error}"
    return dataclasses.replace(report, notes=(*report.notes, note))


def require_place(asked: str) -> None:
    """ConfigError where that can be no new file, MissingExtraError where nothing can be drawn."""
    path = Path(asked)
    require(not path.is_dir(), "picture", asked, "is a folder: name a file")
    require(path.parent.is_dir(), "picture", asked, f"there is no folder {path.parent}: make it")
    _matplotlib()


def draw(report: ClassReport) -> bytes:
    """The confusion matrix as a PNG: shares of each truth as shades, counts in the fields."""
    Figure, FigureCanvasAgg = _matplotlib()
    counts = np.array(report.confusion)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    size = max(4.0, 1.5 + 0.4 * min(len(report.labels), NAMED))  # inches
    figure = Figure(figsize=(size + 1, size), layout="constrained")
    axes: Any = figure.add_subplot()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    places = range(len(report.labels))
    # a label is text, not TeX: $ would begin a formula
    names = [cut(label, WIDEST).replace("$", r"\$") for label in report.labels]
    if len(names) <= NAMED:
        axes.set_xticks(places, names, rotation=90)
        axes.set_yticks(places, names)
    title = f"{report.split}: accuracy {report.figures['accuracy']:.4f}".replace("$", r"\$")
    axes.set(xlabel="answer", ylabel="truth", title=title)
    for truth, answer in np.argwhere(counts) if len(report.labels) <= COUNTED else ():
        shade = "white" if shares[truth, answer] > 0.5 else "black"
        count = str(counts[truth, answer])
        axes.text(answer, truth, count, ha="center", va="center", color=shade, fontsize=8)
    figure.colorbar(image, label="share of the truth")
    buffer = io.BytesIO()
    FigureCanvasAgg(figure)
    with warnings.catch_warnings():
        # a letter that the font lacks is drawn as a box, and the table has the label
        warnings.filterwarnings("ignore", message="Glyph .* missing", category=UserWarning)
        figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _matplotlib() -> tuple[Any, Any]:
    """Its classes of a figure and of what draws one."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError("a picture needs matplotlib (pip install matplotlib).") from None
    return Figure, FigureCanvasAgg
