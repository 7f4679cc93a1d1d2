r"""Classification: answers a text, or a sequence of vectors, with one of your labels.

Examples:
  recurra train classify reviews.csv --text-column review --label-column stars
  recurra train classify titles.txt --line '{text}\t{label}' --seq-len 32
  recurra train classify mail/ --tokens word     # a folder or a file a class
  recurra train classify waves.npz --pooling attention
"""

from __future__ import annotations

from recurra.tasks.classify.task import ClassificationTask

TASK = ClassificationTask
