"""Symbols as frequent as those of a text, for programs whose speed does not ask for sense."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recurra import rng

VOCAB_SIZE = 65  # tinyshakespeare's
ALPHABET = "\n" + "".join(chr(ord("0") + index) for index in range(VOCAB_SIZE - 1))


def text_like(tokens: int) -> NDArray[np.uint16]:
    """`tokens` ids below VOCAB_SIZE, always the same; the k-th is drawn in proportion to 1/k."""
    frequencies = 1 / np.arange(1, VOCAB_SIZE + 1)
    generator = rng.generator(0, "bench/ids")
    drawn = generator.choice(VOCAB_SIZE, tokens, p=frequencies / frequencies.sum())
    return drawn.astype(np.uint16)
