"""What two runs must have in common to be the same training, bit for bit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from recurra import store

# The rest of a record must be equal; these depend on the clock.
TIMES = ("seconds", "tokens_per_second", "eta_seconds")


def metrics(folder: Path) -> list[dict[str, Any]]:
    """The records without what depends on the clock."""
    return [
        {name: value for name, value in record.items() if name not in TIMES}
        for record in store.read_metrics(folder)
    ]


def scalars(folder: Path) -> dict[str, Any]:
    """What the resume file holds besides tensors, without what depends on the clock."""
    found: dict[str, Any] = json.loads(store.read_header(folder / store.RESUME).metadata["scalars"])
    del found["state"]["seconds"], found["metrics_size"]  # a second has more or fewer digits
    return found


def assert_same_run(one: Path, other: Path) -> None:
    """Both folders hold the same training, bit for bit."""
    assert (one / store.MODEL).read_bytes() == (other / store.MODEL).read_bytes()
    ours, theirs = (store.read_tensors(folder / store.RESUME) for folder in (one, other))
    assert set(ours) == set(theirs)
    for name, array in ours.items():
        assert array.tobytes() == theirs[name].tobytes(), name
    assert scalars(one) == scalars(other)
    assert metrics(one) == metrics(other)
