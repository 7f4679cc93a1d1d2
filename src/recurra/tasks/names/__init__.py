"""Names: learns a list of names, a line each, and writes new ones, each up to its end."""

from __future__ import annotations

from recurra.tasks.names.task import NamesTask

TASK = NamesTask
