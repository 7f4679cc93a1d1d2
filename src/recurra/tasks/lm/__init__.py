"""Language model: predicts the next character, byte, word or BPE token of any text."""

from __future__ import annotations

from recurra.tasks.lm.task import LanguageModelTask

TASK = LanguageModelTask
