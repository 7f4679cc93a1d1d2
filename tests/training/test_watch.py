"""A watcher that cannot write ends training in order: saved, told, and nothing to be lost."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from recurra import store
from recurra.errors import RunError
from recurra.training.settings import Training
from recurra.training.watch import Progress, Quiet
from tests.training.compare import assert_same_run
from tests.training.parity_task import Config, Network, fit

pytestmark = pytest.mark.usefixtures("no_curve")

CONFIG = Config(
    model=Network(dropout=0.3, carry=True),
    training=Training(
        steps=24, batch_size=8, learning_rate=0.02, validate_every=6, sample_every=9, save_every=1e6
    ),
)


class Broken(Quiet):
    """Cannot write from its second word of a kind on; counts how often it was asked after that."""

    def __init__(self, kind: str, error: Exception) -> None:
        self.kind, self.error = kind, error
        self.words = 0

    def _say(self, kind: str) -> None:
        self.words += kind == self.kind
        if self.words >= 2:
            raise self.error

    def stepped(self, progress: Progress) -> None:
        self._say("stepped")

    def validated(self, progress: Progress, figures: Mapping[str, float], best: bool) -> None:
        self._say("validated")

    def sampled(self, progress: Progress, text: str) -> None:
        self._say("sampled")

    def saved(self, progress: Progress) -> None:
        self._say("saved")

    def note(self, text: str) -> None:
        self._say("note")


def _step(run: Path) -> Any:
    return store.read_metrics(run)[-1]["steps"]


@pytest.mark.parametrize(
    ("kind", "step"), [("stepped", 2), ("validated", 12), ("sampled", 18), ("saved", 24)]
)
def test_a_watcher_that_cannot_write_costs_no_step_and_the_run_goes_on_bit_for_bit(
    tmp_path: Path, kind: str, step: int
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    fit(whole, CONFIG)
    watcher = Broken(kind, BrokenPipeError(errno.EPIPE, "Broken pipe"))
    with pytest.raises(BrokenPipeError):
        fit(parts, CONFIG, watcher=watcher)
    assert watcher.words == 2  # it was asked nothing more
    assert _step(parts) == step
    assert (parts / "README.md").exists()
    fit(parts, CONFIG, resume=True)
    assert_same_run(whole, parts)


def test_a_watcher_that_cannot_write_before_the_first_step_leaves_a_run_that_goes_on(
    tmp_path: Path,
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    often = replace(CONFIG, training=replace(CONFIG.training, save_every=0.0))
    fit(whole, often)
    watcher = Broken("saved", BrokenPipeError())
    watcher.words = 1  # fails at the first save, which comes before step 1
    with pytest.raises(BrokenPipeError):
        fit(parts, often, watcher=watcher)
    assert _step(parts) == 0
    fit(parts, often, resume=True)
    assert_same_run(whole, parts)


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (UnicodeEncodeError("ascii", "ä", 0, 1, "ordinal not in range"), "'ascii' codec"),
    ],
    ids=["full disk", "narrow encoding"],
)
def test_what_a_watcher_could_not_write_is_told_in_one_line_with_the_way_on(
    tmp_path: Path, error: Exception, why: str
) -> None:
    run = tmp_path / "run"
    message = (
        rf"^cannot write the progress output: .*{why}.*; the run is saved in {run}; "
        rf"go on with recurra resume {run}$"
    )
    with pytest.raises(RunError, match=message) as caught:
        fit(run, CONFIG, watcher=Broken("stepped", error))
    assert "\n" not in str(caught.value)
    assert fit(run, CONFIG, resume=True).steps == 24


def test_a_fault_of_a_watcher_that_is_no_failed_write_comes_through_at_once(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        fit(tmp_path / "run", CONFIG, watcher=Broken("stepped", ZeroDivisionError()))
