"""The records of `metrics.jsonl` for TensorBoard too, where that was asked for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recurra import store
from recurra.errors import MissingExtraError

FOLDER = "tensorboard"


class NoEvents:
    """Writes nothing."""

    def add(self, record: Mapping[str, Any]) -> None: ...
    def close(self) -> None: ...


class Events:
    """Writes the finite numbers of a record as scalars, and its text as text."""

    def __init__(self, writer: Any, folder: Path) -> None:
        self._writer, self._folder = writer, folder

    def add(self, record: Mapping[str, Any]) -> None:
        """Adds one record of metrics.jsonl; RunError where it cannot be written."""
        kind, step = record["kind"], record["step"]
        with store.writing(self._folder):
            for name, value in {**record, **record.get("figures", {})}.items():
                if name == "text":
                    self._writer.add_text(kind, value, step)
                elif isinstance(value, (int, float)) and name != "step" and math.isfinite(value):
                    self._writer.add_scalar(f"{kind}/{name}", value, step)

    def close(self) -> None:
        """Makes sure that everything is written; RunError where it cannot be."""
        with store.writing(self._folder):
            self._writer.close()


def open_events(folder: Path, step: int) -> Events:
    """Events in `folder`/tensorboard, those past `step` forgotten; MissingExtraError without it."""
    try:
        from torch.utils.tensorboard.writer import SummaryWriter
    except ImportError:
        raise MissingExtraError(
            '--tensorboard needs TensorBoard: pip install "recurra[tensorboard]"'
        ) from None
    path = folder / FOLDER
    with store.writing(path):
        return Events(SummaryWriter(str(path), purge_step=step + 1), path)
