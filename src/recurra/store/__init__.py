"""The run folder's files: what they hold, written atomically and checked before they are believed.

Safetensors and JSON only; nothing here unpickles, and nothing allocates before sizes are checked.
What training keeps in `resume.safetensors`, and when it is written, is `training/resume.py`'s.
"""

from __future__ import annotations

from recurra.store.files import lock, read_bytes, write_atomic, writing
from recurra.store.metrics import append_metrics, cut_metrics, metrics_size, read_metrics
from recurra.store.record import (
    CONFIG,
    FORMAT,
    METRICS,
    MODEL,
    RESUME,
    RunRecord,
    check_new,
    create,
    read_record,
    write_record,
)
from recurra.store.tensors import (
    Entry,
    Header,
    check_tensors,
    read_header,
    read_tensors,
    save_tensors,
)
from recurra.store.values import parse

__all__ = [
    "CONFIG",
    "FORMAT",
    "METRICS",
    "MODEL",
    "RESUME",
    "Entry",
    "Header",
    "RunRecord",
    "append_metrics",
    "check_new",
    "check_tensors",
    "create",
    "cut_metrics",
    "lock",
    "metrics_size",
    "parse",
    "read_bytes",
    "read_header",
    "read_metrics",
    "read_record",
    "read_tensors",
    "save_tensors",
    "write_atomic",
    "write_record",
    "writing",
]
