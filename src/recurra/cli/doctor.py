"""`doctor`: what is installed, what the machine has, and which way the recurrence will be run."""

from __future__ import annotations

import os
import platform
import warnings
from importlib import metadata
from typing import Annotated, Any

import numpy as np

from recurra import __version__, kernels
from recurra.cli.flags import switch
from recurra.data.token_file import cache_folder
from recurra.results import counted
from recurra.training.words import as_json

# what each optional package is for, and the extra that brings it
EXTRAS = {
    "torch": ("training and evaluation", "torch"),
    "matplotlib": ("the loss curve of a run", "torch"),
    "scikit-learn": ("the figures of a classifier", "torch"),
    "tokenizers": ("--tokens bpe", "bpe"),
    "tensorboard": ("--tensorboard", "tensorboard"),
    "pillow": ("folders of pictures as data", "images"),
}


def doctor(
    *, json_: Annotated[bool, switch("JSON instead, one object", name="--json")] = False
) -> int:
    """Shows versions, devices, threads, instruction sets and the path the recurrence takes."""
    found = examined()
    if json_:
        print(as_json(found))
        return 0
    for name, value in found.items():
        lines = value if isinstance(value, list) else [value]
        for number, line in enumerate(lines or ["none"]):
            print(f"{'' if number else name.replace('_', ' '):<18}{line}")
    return 0


def examined() -> dict[str, Any]:
    """What `doctor` shows, as JSON values."""
    return {
        "recurra": __version__,
        "python": f"{platform.python_version()} on {platform.platform()}",
        "numpy": np.__version__,
        "extras": [_extra(name) for name in EXTRAS],
        **_machine(),
        "kernels": _kernels(),
        "recurrence": _recurrence(),
        "cache": str(cache_folder()),
    }


def _kernels() -> str:
    """Whether the native kernels are there, with what, or why not."""
    missing = kernels.why_missing()
    if missing is not None:
        return f"not used: {missing}"
    sets = kernels.instruction_sets()
    return f"{sets.chosen} (of {', '.join(sets.available)}) for {', '.join(kernels.names())}"


def _recurrence() -> list[str]:
    """The rule by which a layer finds its path, as it applies here."""
    reference = "a loop of steps over torch's operations"
    sampling = "sampling and scoring: a loop of steps over NumPy's"
    cuda = "cuda, a cell that torch has (gru, irnn, lstm, relu_rnn, rnn): cuDNN, through torch"
    if kernels.why_missing() is not None:
        return [cuda, f"all else: {reference}", "recurra.nn: torch's own", sampling]
    native = "cpu, float32, a cell with a kernel and not a subclass of it: the native kernels"
    drop_ins = "recurra.nn: the same; torch's own for all else"
    drawn = (
        "sampling and scoring: the native kernels for a cell with one, else NumPy's loop of steps"
    )
    return [native, cuda, f"all else: {reference}", drop_ins, drawn]


def _extra(name: str) -> str:
    purpose, extra = EXTRAS[name]
    try:
        return f"{name} {metadata.version(name)}"
    except metadata.PackageNotFoundError:
        return f'{name} is missing ({purpose}): pip install "recurra[{extra}]"'


def _machine() -> dict[str, Any]:
    """Devices, threads and instruction sets, as NumPy and (where it is there) torch see them."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    asked = os.environ.get("OMP_NUM_THREADS", "not set")
    threads = [f"{counted(cores or 1, 'core')} for this process, OMP_NUM_THREADS {asked}"]
    simd = np.show_config(mode="dicts")["SIMD Extensions"]
    sets = [f"NumPy: {' '.join([*simd['baseline'], *simd['found']])}"]
    devices = [f"cpu ({platform.machine()})"]
    try:
        import torch
    except ModuleNotFoundError:
        return {"devices": devices, "threads": threads, "instruction_sets": sets}
    threads.append(f"torch uses {torch.get_num_threads()}")
    sets.append(f"torch: {torch.backends.cpu.get_cpu_capability()}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a driver that is too old warns; no device is the answer
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    for index in range(count):
        gigabytes = torch.cuda.get_device_properties(index).total_memory / 1e9
        devices.append(f"cuda:{index} ({torch.cuda.get_device_name(index)}, {gigabytes:.0f} GB)")
    return {"devices": devices, "threads": threads, "instruction_sets": sets}
