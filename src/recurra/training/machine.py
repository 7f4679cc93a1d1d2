"""What a run's numbers depend on besides its settings: torch, threads, instructions, device."""

from __future__ import annotations

import platform
from typing import Any

import torch

from recurra import kernels

_DECISIVE = (
    "torch",
    "threads",
    "instructions",
    "kernels",
    "device",
)  # another of these, other last bits


def facts(device: torch.device) -> dict[str, Any]:
    """The machine as JSON values, for `config.json`."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return {
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "kernels": "off" if kernels.why_missing() else kernels.instruction_sets().chosen,
        "device": name,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def differences(recorded: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """A phrase for each thing that makes a resumed run's last bits differ: 'threads 2, were 1'."""
    return [
        f"{name} {now[name]}, was {recorded[name]}"
        for name in _DECISIVE
        if name in recorded and recorded[name] != now[name]
    ]
