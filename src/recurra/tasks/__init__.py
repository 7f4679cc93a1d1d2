"""The tasks, a folder each; the folder's name is the task's name. They never import each other."""

from __future__ import annotations

from typing import cast

from recurra import registry
from recurra.task import Task

__all__ = ["load", "names"]


def names() -> list[str]:
    """The names of the tasks."""
    return registry.names("tasks")


def load(name: str) -> Task:
    """The task of that name, from the class in its folder that `TASK` names."""
    return cast(Task, registry.load("tasks", name).TASK())
