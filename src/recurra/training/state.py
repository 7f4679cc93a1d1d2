"""What training counts as it goes on, besides tensors: a few numbers, all of them JSON."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from recurra.errors import RunError


@dataclass
class State:
    """Where training stands."""

    step: int = 0  # optimizer steps done
    tokens: int = 0  # trained on so far
    seconds: float = 0.0  # of wall time, in all sessions up to the last save
    clipped: int = 0  # steps whose gradient was cut
    first_nats: float | None = None  # the first step's loss, nats a token
    smooth_nats: float | None = None  # its running average
    best_score: float | None = None  # of the best validation; None before the first
    best_step: int = 0  # the step of the weights in model.safetensors
    best_figures: dict[str, float] = field(default_factory=dict)
    waiting: int = 0  # validations since the best
    drops: int = 0  # how often the plateau schedule lowered the rate
    validated_at: int = 0  # the step of the last validation
    sampled_at: int = 0  # the step of the last sample

    def to_json(self) -> dict[str, Any]:
        """The numbers by name."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Any) -> State:
        """What `to_json` gave, every type checked; RunError otherwise."""
        if not isinstance(values, dict) or set(values) != {item.name for item in fields(cls)}:
            raise RunError("the saved training state is damaged: other entries than expected.")
        for name, value in values.items():
            if not _ACCEPTS[name](value):
                raise RunError(f"the saved training state is damaged: {name} = {value!r}.")
        return cls(**values)


def is_count(value: Any) -> bool:
    """Whether this is an integer that something can be counted in."""
    return type(value) is int and 0 <= value < 2**63


def is_number(value: Any) -> bool:
    """Whether this is a finite float."""
    return type(value) is float and math.isfinite(value)


def is_figures(value: Any) -> bool:
    """Whether this is a table of finite floats."""
    return isinstance(value, dict) and all(is_number(figure) for figure in value.values())


def _maybe(value: Any) -> bool:
    return value is None or is_number(value)


_ACCEPTS = {
    "step": is_count,
    "tokens": is_count,
    "seconds": is_number,
    "clipped": is_count,
    "first_nats": _maybe,
    "smooth_nats": _maybe,
    "best_score": _maybe,
    "best_step": is_count,
    "best_figures": is_figures,
    "waiting": is_count,
    "drops": is_count,
    "validated_at": is_count,
    "sampled_at": is_count,
}
