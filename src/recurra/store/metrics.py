"""`metrics.jsonl`: one JSON record a line, appended while training, cut back when it goes on."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recurra.store.files import read_bytes, write_all, writing
from recurra.store.record import METRICS
from recurra.store.values import parse


def append_metrics(folder: Path, record: Mapping[str, Any]) -> None:
    """Appends one record; it is on the disk for certain after `metrics_size`.

    A float that is not finite becomes null: JSON has no word for it.
    """
    finite = {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in record.items()
    }
    line = json.dumps(finite, ensure_ascii=False, allow_nan=False).encode() + b"\n"
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
    """Forgets what was written past `size` bytes, and the line that would be cut in two."""
    path = folder / METRICS
    whole = read_bytes(path).rfind(b"\n", 0, size) + 1 if metrics_size(folder) else 0
    with writing(path):
        os.truncate(path, whole)


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """A record a line, oldest first; a last line that a kill cut off is left out.

    A damaged line is an empty record: it costs nothing but itself. Raises RunError where there is
    no such file.
    """
    lines = read_bytes(folder / METRICS).split(b"\n")[:-1]  # after the last line end is no line
    return [_parsed(line) for line in lines]


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        record = parse(line)
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}
