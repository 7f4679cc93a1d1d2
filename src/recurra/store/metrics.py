"""`metrics.jsonl`: one JSON record a line, appended while training, cut back when it goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recurra.errors import RunError
from recurra.store.files import read_bytes, write_all, writing
from recurra.store.record import METRICS


def append_metrics(folder: Path, record: Mapping[str, Any]) -> None:
    """Appends one record; it is on the disk for certain after `metrics_size`."""
    line = json.dumps(record, ensure_ascii=False, allow_nan=False).encode() + b"\n"
    path = folder / METRICS
    with writing(path):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        try:
            write_all(descriptor, line)
        finally:
            os.close(descriptor)


def metrics_size(folder: Path) -> int:
    """The size in bytes of what is written so far, after making sure that it is on the disk."""
    path = folder / METRICS
    with writing(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            os.fsync(descriptor)
            return os.fstat(descriptor).st_size
        finally:
            os.close(descriptor)


def cut_metrics(folder: Path, size: int) -> None:
    """Forgets what was written past `size` bytes; a shorter file keeps its whole lines."""
    path = folder / METRICS
    if metrics_size(folder) < size:
        size = read_bytes(path).rfind(b"\n") + 1
    with writing(path):
        os.truncate(path, size)


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """Every record, oldest first; a last line that a kill cut off is left out.

    Raises RunError where there is no such file or a line is not a JSON table.
    """
    path = folder / METRICS
    lines = read_bytes(path).split(b"\n")[:-1]  # what follows the last line end is no line
    return [_parsed(line, f"{path} is damaged: line {n}") for n, line in enumerate(lines, 1)]


def _parsed(line: bytes, where: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise RunError(f"{where} is not JSON.") from error
    if not isinstance(record, dict):
        raise RunError(f"{where} is no table.")
    return record
