"""How training ended, and what is said of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from recurra.results import Evaluation

# Why a run that goes on ends again at once.
NOTHING_LEFT = {
    "budget": "this run is finished, its budget is spent",
    "early stop": "this run is finished, early stopping ended it",
}

OUTCOME = ("reason", "steps", "tokens", "seconds", "best_step", "figures")  # its entries there


@dataclass(frozen=True)
class Outcome:
    """How training ended."""

    reason: str  # 'budget', 'early stop' or 'interrupted'
    steps: int  # optimizer steps in all
    tokens: int  # predictions trained on, in all
    seconds: float  # of wall time, in all sessions
    best_step: int  # the step of the weights in model.safetensors
    figures: Mapping[str, float]  # of the best validation; empty where there was none
    evaluation: Evaluation | None = None  # of the best weights, where the settings ask for it
