"""Kills training at random moments: `python kills.py FOLDER KILLS SEED`. Run by test_kill.py.

A process of its own, that imports torch once and forks before torch has threads. Prints the kills.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import torch

from recurra import store
from recurra.training.settings import Training
from tests.training.parity_task import Config, Network, fit

CONFIG = Config(
    model=Network(dropout=0.2, carry=True),
    training=Training(
        steps=150,
        batch_size=8,
        learning_rate=0.02,
        ema=0.9,
        validate_every=6,
        sample_every=11,
        save_every=0.02,
    ),
)


def start(run: Path) -> int:
    """The process that trains `run`, from the start or on."""
    child = os.fork()
    if child == 0:
        try:
            fit(run, CONFIG, resume=run.exists())
        except BaseException as error:
            print(f"failed: {error!r}", flush=True)
            os._exit(1)
        os._exit(0)
    return child


def finish(run: Path) -> None:
    """Trains `run` to its end."""
    _, status = os.waitpid(start(run), 0)
    assert status == 0, "a resumed run failed"


def check(whole: Path, run: Path) -> None:
    """The weights are those of the run that was never killed, and nothing lies about."""
    assert (run / store.MODEL).read_bytes() == (whole / store.MODEL).read_bytes()
    ours, theirs = (store.read_tensors(folder / store.RESUME) for folder in (run, whole))
    assert all(ours[name].tobytes() == array.tobytes() for name, array in theirs.items())
    assert sorted(os.listdir(run)) == sorted(os.listdir(whole))


def main(folder: Path, kills: int, seed: int) -> None:
    """Kills so many times, in as many runs as that takes, and compares every one of them."""
    torch.set_num_threads(1)
    moments = random.Random(seed)
    finish(folder / "whole")
    done = runs = 0
    while done < kills:
        run, runs, ended = folder / f"run{runs}", runs + 1, False
        while done < kills and not ended:
            child = start(run)
            time.sleep(moments.uniform(0.01, 0.4))
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            ended = not os.WIFSIGNALED(status)
            assert not ended or status == 0, "a resumed run failed"
            done += not ended
            if run.exists():  # at every moment it can be opened
                store.read_record(run)
                store.read_tensors(run / store.MODEL)
                store.read_tensors(run / store.RESUME)
        finish(run)
        check(folder / "whole", run)
    print(f"{done} kills")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
