"""Files of a run folder: written whole or not at all, never waited for, trained by one process."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recurra import store
from recurra.errors import RunError


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_in_a_run_folder_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    for name in (store.MODEL, store.METRICS, "config.json"):
        os.mkfifo(tmp_path / name)
    with pytest.raises(RunError, match=r"model\.safetensors is not a regular file"):
        store.read_tensors(tmp_path / store.MODEL)
    with pytest.raises(RunError, match=r"config\.json is not a regular file"):
        store.read_record(tmp_path)
    with pytest.raises(RunError, match=r"metrics\.jsonl"):
        store.metrics_size(tmp_path)


class FullDisk:
    """Lets the first `good` system calls that write go through, then says that the disk is full."""

    def __init__(self, good: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = good
        self.hit = False
        for name in ("write", "fsync", "replace", "open"):
            monkeypatch.setattr(os, name, self._counted(getattr(os, name)))

    def _counted(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **named: Any) -> Any:
            if self.left == 0:
                self.hit = True
                raise OSError(errno.ENOSPC, "No space left on device")
            self.left -= 1
            return call(*arguments, **named)

        return counted


def test_a_full_disk_at_any_call_leaves_the_old_file_or_the_new_one_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for good in range(20):
        path.write_bytes(b"old")
        said = None
        with pytest.MonkeyPatch.context() as patch:
            disk = FullDisk(good, patch)
            try:
                store.write_atomic(path, [b"ne", b"", b"w"])
            except RunError as error:
                said = str(error)
        wanted = f"cannot write {path}: No space left on device. Nothing already saved was lost; "
        assert (said is not None) == disk.hit
        assert said is None or (said.startswith(wanted) and "\n" not in said)
        assert path.read_bytes() in (b"old", b"new")
        assert [item.name for item in tmp_path.iterdir()] == ["file"]
        if not disk.hit:
            assert path.read_bytes() == b"new"
            assert good > 5, "the calls were not counted"
            return
    pytest.fail("the write never went through")


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = os.write
    monkeypatch.setattr(os, "write", lambda file, data: whole(file, bytes(data)[:2]))
    store.write_atomic(tmp_path / "file", b"some text")
    assert (tmp_path / "file").read_bytes() == b"some text"


def test_what_a_kill_left_behind_is_replaced_and_a_planted_link_not_followed(
    tmp_path: Path,
) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    (tmp_path / ".file.tmp").symlink_to(victim)
    store.write_atomic(tmp_path / "file", b"new")
    assert victim.read_bytes() == b"mine"
    assert (tmp_path / "file").read_bytes() == b"new"
    assert not (tmp_path / ".file.tmp").exists()


def test_a_folder_that_cannot_be_written_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(RunError, match=r"cannot write .*Not a directory"):
        store.write_atomic(tmp_path / "file" / "x", b"")


def test_two_holders_never_train_one_folder(tmp_path: Path) -> None:
    with store.lock(tmp_path):
        with pytest.raises(RunError, match="another process is training"), store.lock(tmp_path):
            pytest.fail("both hold it")
        code = (
            "import sys; from pathlib import Path; from recurra import store\n"
            "try:\n    with store.lock(Path(sys.argv[1])): pass\n"
            "except Exception as error: print(error)"
        )
        said = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
        )
        assert "another process is training" in said.stdout
    with store.lock(tmp_path):
        pass
