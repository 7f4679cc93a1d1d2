"""Recurra: recurrent networks as real software. Importing it does not import torch.

import recurra
run = recurra.train("lm", "input.txt", hidden_size=256, minutes=3)
run.sample("ROMEO:", length=200, temperature=0.8)
run.score("the cat is small")
recurra.load("runs/lm-input")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from recurra import nn as nn
    from recurra.api import Run, load, resume, train
    from recurra.nn import accelerate, restore

__all__ = ["Run", "accelerate", "load", "restore", "resume", "train"]


def __getattr__(name: str) -> Any:
    # The API reaches down many floors; `recurra.errors` alone must stay cheap to import.
    if name in ("nn", "accelerate", "restore"):
        module = importlib.import_module("recurra.nn")
        return module if name == "nn" else getattr(module, name)
    if name in __all__:
        from recurra import api

        return getattr(api, name)
    raise AttributeError(f"module 'recurra' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
