"""The records of `metrics.jsonl` for TensorBoard too, where that was asked for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recurra.errors import MissingExtraError

FOLDER = "tensorboard"


class NoEvents:
    """Writes nothing."""

    def add(self, record: Mapping[str, Any]) -> None: ...
    def close(self) -> None: ...


class Events:
    """Writes the numbers of a record as scalars, and its text as text."""

    def __init__(self, writer: Any) -> None:
        self._writer = writer

    def add(self, record: Mapping[str, Any]) -> None:
        """Adds one record of metrics.jsonl."""
        kind, step = record["kind"], record["step"]
        for name, value in {**record, **record.get("figures", {})}.items():
            if name == "text":
                self._writer.add_text(kind, value, step)
            elif isinstance(value, (int, float)) and name != "step":
                self._writer.add_scalar(f"{kind}/{name}", value, step)

    def close(self) -> None:
        """Makes sure that everything is written."""
        self._writer.close()


def open_events(folder: Path, step: int) -> Events:
    """Events in `folder`/tensorboard, those past `step` forgotten; MissingExtraError without it."""
    try:
        from torch.utils.tensorboard.writer import SummaryWriter
    except ImportError:
        raise MissingExtraError(
            '--tensorboard needs TensorBoard: pip install "recurra[tensorboard]"'
        ) from None
    return Events(SummaryWriter(str(folder / FOLDER), purge_step=step + 1))
