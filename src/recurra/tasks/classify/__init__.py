"""Classification: answers a text, or a sequence of vectors, with one of your labels."""

from __future__ import annotations

from recurra.tasks.classify.task import ClassificationTask

TASK = ClassificationTask
