"""A text that a small language model learns by heart, and the settings of that model."""

from __future__ import annotations

from typing import Any

SMALL: dict[str, Any] = {
    "hidden_size": 24,
    "batch_size": 4,
    "seq_len": 16,
    "validate_every": 10,
    "sample_every": 0,
    "learning_rate": 0.02,
}
VERSE = "the cat is small\nthe dog is tall\nthe hen is red\nthe cow is fed\n"
