"""A trained language model without torch: opened, scored, sampled from. State in, state out.

Training is `recurra.training`'s; how sequences are searched is `recurra.decoding`'s.
"""

from __future__ import annotations

from recurra.runtime.language_model import (
    CONTEXT,
    KIND,
    STOP,
    TOKENIZER,
    LanguageModel,
    default_context,
)
from recurra.runtime.settings import NetworkSettings
from recurra.runtime.weights import expected_shapes, resolve

__all__ = [
    "CONTEXT",
    "KIND",
    "STOP",
    "TOKENIZER",
    "LanguageModel",
    "NetworkSettings",
    "default_context",
    "expected_shapes",
    "resolve",
]
