"""Tagging: a tag for every word of a sentence, as parts of speech or named entities (aligned)."""

from __future__ import annotations

from recurra.tasks.tag.task import TagTask

TASK = TagTask
