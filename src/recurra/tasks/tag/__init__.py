"""Tagging: a tag for every word of a sentence, as parts of speech or named entities (aligned).

Examples:
  recurra train tag train.conllu --valid-file dev.conllu --out runs/upos
  recurra train tag train.conll --crf            # a sentence's tags together
  recurra train tag ner.txt --word-column 1 --tag-column 4
"""

from __future__ import annotations

from recurra.tasks.tag.task import TagTask

TASK = TagTask
