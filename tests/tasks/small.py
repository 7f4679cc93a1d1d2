"""Settings of networks that are trained in a blink, with names and sentences for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

CLASSIFY: dict[str, Any] = {
    "hidden_size": 12,
    "batch_size": 16,
    "validate_every": 10,
    "sample_every": 0,
    "learning_rate": 0.02,
}
TAG: dict[str, Any] = {
    "hidden_size": 12,
    "word_size": 8,
    "letter_size": 4,
    "letter_hidden": 6,
    "dropout": 0.2,
    "batch_size": 8,
    "learning_rate": 0.02,
    "validate_every": 7,
    "sample_every": 0,
}
NAMES: dict[str, Any] = {
    "hidden_size": 24,
    "embedding_size": 16,
    "dropout": 0.0,
    "batch_size": 4,
    "learning_rate": 0.02,
    "validate_every": 10,
    "sample_every": 0,
}
SOME_NAMES = ("ann", "bo", "anna", "carol", "dan", "eve", "bob", "ben")
VERBS = "the DET\ndog NOUN\nbarks VERB\n\nthe DET\ncat NOUN\nsleeps VERB\n\ndogs NOUN\nsleep VERB\n"


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path
