"""The tasks, a folder each; the folder's name is the task's name. They never import each other."""

from __future__ import annotations

from typing import cast

from recurra import registry
from recurra.task import Task

__all__ = ["load"]


def load(name: str) -> Task:
    """The task of that name, from the class in its folder that `TASK` names."""
    return cast(Task, registry.load("tasks", name).TASK())
