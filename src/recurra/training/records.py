"""What the card and the curve need of `metrics.jsonl`; lines that are no records are left out.

`session.py` writes the records. A damaged line must not end a run whose weights are whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recurra import store
from recurra.training.state import is_count, is_figures, is_number
from recurra.training.watch import Watcher


@dataclass
class Records:
    """The records of a run, oldest first; each has the entries that `_NEEDED` says."""

    train: list[dict[str, Any]] = field(default_factory=list)
    validation: list[dict[str, Any]] = field(default_factory=list)
    sample: list[dict[str, Any]] = field(default_factory=list)
    result: list[dict[str, Any]] = field(default_factory=list)
    evaluation: list[dict[str, Any]] = field(default_factory=list)


def read(folder: Path, watcher: Watcher) -> Records:
    """The records in `folder`; one note to the watcher where there are lines that are none."""
    found, unusable = Records(), []
    for number, record in enumerate(store.read_metrics(folder), 1):
        kind = record.get("kind")
        if isinstance(kind, str) and kind in _NEEDED and _usable(record, _NEEDED[kind]):
            getattr(found, kind).append(record)
        else:
            unusable.append(number)
    if unusable:
        watcher.note(
            f"{store.METRICS}: {len(unusable)} of its lines cannot be used, the first is line "
            f"{unusable[0]}; card and curve leave them out."
        )
    return found


def _usable(record: Mapping[str, Any], needed: Mapping[str, Callable[[Any], bool]]) -> bool:
    return all(name in record and check(record[name]) for name, check in needed.items())


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


_NEEDED: dict[str, dict[str, Callable[[Any], bool]]] = {
    "train": {"step": is_count, "smooth_nats": is_number},
    "validation": {"step": is_count, "score": is_number},
    "sample": {"step": is_count, "text": _is_text},
    "evaluation": {"step": is_count, "split": _is_text, "tokens": is_count, "figures": is_figures},
    "result": {
        "reason": _is_text,
        "steps": is_count,
        "tokens": is_count,
        "best_step": is_count,
        "epoch": is_number,
        "seconds": is_number,
        "figures": is_figures,
    },
}
