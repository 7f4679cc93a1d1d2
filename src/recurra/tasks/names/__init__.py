"""Names: learns a list of names, a line each, and writes new ones, each up to its end.

Examples:
  recurra train names names.txt                  # a name a line
  recurra train names people.csv --classes       # columns text and label
  recurra train names names/*.txt --classes      # a file a class
"""

from __future__ import annotations

from recurra.tasks.names.task import NamesTask

TASK = NamesTask
