"""Two threads leave nothing to chance: which of them adds first must not be seen in any bit.

Torch shares such work from 2^15 numbers on, so the batches are large.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import recurra
from recurra import registry
from recurra.training.watch import Quiet
from tests.training.compare import assert_same_run

pytestmark = pytest.mark.usefixtures("no_curve", "two_threads")

# Of each task: with dropout the rows of an embedding are looked up, not those of a table.
LARGE: dict[str, dict[str, Any]] = {
    "lm": {"embedding_size": 256, "batch_size": 64, "seq_len": 64},
    "names": {"embedding_size": 256, "batch_size": 300},
    "classify": {"embedding_size": 256, "batch_size": 300},
    "tag": {"word_size": 256, "batch_size": 300},
}


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("task", registry.names("tasks"))
def test_every_task_trained_twice_on_two_threads_has_the_same_bits(
    tmp_path: Path, task: str
) -> None:
    settings = {"hidden_size": 16, "dropout": 0.2, "steps": 8, "sample_every": 0, **LARGE[task]}
    for name in ("one", "other"):
        recurra.train(task, out=tmp_path / name, device="cpu", watcher=Quiet(), **settings)
    assert_same_run(tmp_path / "one", tmp_path / "other")
