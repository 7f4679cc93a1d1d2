"""kill -9 at random moments, and a full disk at every write: nothing that was saved is lost."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recurra import store
from recurra.errors import RunError
from recurra.training import curve
from recurra.training.settings import Training
from recurra.training.watch import Progress, Quiet
from tests.training.parity_task import Config, Network, fit

SHORT = Config(
    training=Training(
        steps=6, batch_size=8, validate_every=2, sample_every=3, save_every=1e6, ema=0.5
    )
)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork, which this system lacks")
@pytest.mark.parametrize(
    ("kills", "seed"), [(3, 0), pytest.param(20, 1, marks=pytest.mark.slow)], ids=["3", "20"]
)
def test_a_run_killed_at_random_moments_ends_as_one_that_was_not(
    tmp_path: Path, kills: int, seed: int
) -> None:
    script = Path(__file__).with_name("kills.py")
    done = subprocess.run(
        [sys.executable, script, tmp_path, str(kills), str(seed)],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith(f"{kills} kills\n")


class DiskFullError(OSError):
    """What the patched calls raise."""


class FullDisk:
    """Lets so many system calls that write go through; from then on the disk is full."""

    def __init__(self, good: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = good
        self.hit = False
        for name in ("write", "fsync", "replace", "truncate"):
            monkeypatch.setattr(os, name, self._counted(getattr(os, name)))

    def _counted(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any) -> Any:
            if self.left <= 0:
                self.hit = True
                raise DiskFullError(errno.ENOSPC, "No space left on device")
            self.left -= 1
            return call(*arguments)

        return counted


class StopAt3(Quiet):
    """Ends the first session."""

    def stepped(self, progress: Progress) -> None:
        if progress.step == 3:
            raise KeyboardInterrupt


def _begun(folder: Path, config: Config) -> None:
    """A run that was ended after step 3, saved after every step."""
    often = replace(config, training=replace(config.training, save_every=0.0))
    with pytest.raises(KeyboardInterrupt):
        fit(folder, often, watcher=StopAt3())


def _assert_same(one: Path, other: Path) -> None:
    assert (one / store.MODEL).read_bytes() == (other / store.MODEL).read_bytes()
    ours, theirs = (store.read_tensors(folder / store.RESUME) for folder in (one, other))
    assert all(np.array_equal(array, theirs[name]) for name, array in ours.items())


@pytest.mark.parametrize(
    "stride", [13, pytest.param(1, marks=pytest.mark.slow)], ids=["some calls", "every call"]
)
def test_a_disk_that_is_full_at_any_call_costs_nothing_that_was_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stride: int
) -> None:
    monkeypatch.setattr(curve, "write", lambda *given: None)  # slow, and the same write
    whole, begun, run = tmp_path / "whole", tmp_path / "begun", tmp_path / "run"
    fit(whole, SHORT)
    _begun(begun, SHORT)
    saved = store.read_header(begun / store.RESUME).metadata["scalars"]
    for good in range(0, 2000, stride):
        shutil.copytree(begun, run)
        said = None
        with pytest.MonkeyPatch.context() as patch:
            disk = FullDisk(good, patch)
            try:
                fit(run, SHORT, resume=True)
            except RunError as error:
                said = str(error)
        assert disk.hit == (said is not None)
        assert said is None or ("Nothing already saved was lost" in said and "\n" not in said)
        assert not [name for name in os.listdir(run) if name.endswith(".tmp")]
        if store.read_header(run / store.RESUME).metadata["scalars"] == saved:
            _assert_same_tensors(begun, run)
        fit(run, SHORT, resume=True)
        _assert_same(whole, run)
        shutil.rmtree(run)
        if not disk.hit:
            assert good > 40, "the calls were not counted"
            return
    pytest.fail("the run never came to its end")


def _assert_same_tensors(one: Path, other: Path) -> None:
    ours, theirs = (store.read_tensors(folder / store.RESUME) for folder in (one, other))
    assert all(np.array_equal(array, theirs[name]) for name, array in ours.items())


def test_a_disk_that_is_full_at_the_start_leaves_no_folder(tmp_path: Path) -> None:
    for good in (0, 5, 20):
        with pytest.MonkeyPatch.context() as patch:
            FullDisk(good, patch)
            with pytest.raises(RunError, match="No space left on device"):
                fit(tmp_path / "run", SHORT)
        assert list(tmp_path.iterdir()) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 300 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root on Linux")
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(mount, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no mount command")
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_on_a_real_full_disk_a_run_ends_in_one_line_and_goes_on_when_there_is_room(
    small_disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(curve, "write", lambda *given: None)
    config = replace(SHORT, model=Network(hidden_size=20))  # a resume file of some 35 kB
    run, ballast = small_disk / "run", small_disk / "ballast"
    _begun(run, config)
    free = shutil.disk_usage(small_disk).free
    ballast.write_bytes(b"\0" * (free - 12_000))  # three pages: not enough for another save
    with pytest.raises(RunError) as caught:
        fit(run, config, resume=True)
    assert str(caught.value).endswith(
        "No space left on device. Nothing already saved was lost; make room or give permission, "
        f"then go on: recurra resume {run}"
    )
    store.read_tensors(run / store.MODEL)
    ballast.unlink()
    fit(run, config, resume=True)
    fit(tmp_path / "whole", config)
    _assert_same(tmp_path / "whole", run)
