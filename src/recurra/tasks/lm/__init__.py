"""Language model: predicts the next character, byte, word or BPE token of any text.

Examples:
  recurra train lm book.txt --minutes 10
  recurra train lm src/*.c --tokens byte --out runs/c
  recurra train lm book.txt --tokens word --cell gru --hidden-size 512
"""

from __future__ import annotations

from recurra.tasks.lm.task import LanguageModelTask

TASK = LanguageModelTask
