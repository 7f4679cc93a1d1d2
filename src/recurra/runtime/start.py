"""What stands before the first symbol: a context; or, where sequences end, the START of each.

A model with a `stop` symbol writes whole sequences: each begins in the initial state after START,
which is the stop symbol itself or, where the run has classes, a special symbol of the class.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recurra.config import require
from recurra.errors import ConfigError, unknown
from recurra.runtime.given import encode
from recurra.runtime.language_model import Ids, LanguageModel


def symbol(label: str) -> str:
    """The special symbol that begins a sequence of this class."""
    return f"<{label}>"


def labels(special: Sequence[str]) -> list[str]:
    """The classes that these special symbols begin, in order."""
    return [one[1:-1] for one in special]


def before(
    model: LanguageModel, context: str | None, label: str | None, *, prompted: bool
) -> tuple[Ids, str]:
    """(the symbols read before the first, and how they are written).

    Where sequences end: START of the class `label`. Otherwise the context, None: the model's own,
    or nothing where a prompt follows. Raises ConfigError for a context or a class that cannot be.
    """
    if model.stop is None:
        require(label is None, "label", label, "this run has no classes")
        if context is None:
            return (model.context_ids[:0], "") if prompted else (model.context_ids, model.context)
        ids = encode(model.tokenizer, context, "the context")
        require(ids.size > 0, "context", context, "must hold a symbol")
        return ids, context
    require(context is None, "context", context, "each sequence of this run starts by itself")
    known = model.tokenizer.special
    if not known:
        require(label is None, "label", label, "this run has no classes")
        return np.array([model.stop_id]), model.stop
    classes = labels(list(known))
    if label is None:
        raise ConfigError(f"this run has classes: give --label, one of {', '.join(classes)}.")
    if symbol(label) not in known:
        raise ConfigError(unknown("label", label, classes))
    return np.array([known[symbol(label)]]), symbol(label)
