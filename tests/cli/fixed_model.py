"""A model whose probabilities are known: a newline 1/2, a 3/8, b 1/8.

All its weights are zero but the projection's bias, which is ln p: every symbol is independent.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from recurra import store
from recurra.config import to_json
from recurra.runtime import CONTEXT, TOKENIZER, NetworkSettings, expected_shapes
from recurra.text import tokenizers

P = {"\n": 1 / 2, "a": 3 / 8, "b": 1 / 8}
# The first 60 symbols are what is trained on; 'ba' is in the held-out rest alone.
TEXT = "aab\n" * 15 + "aba\n"


def fixed_model(folder: Path, probabilities: dict[str, float], **entries: Any) -> str:
    """The folder of a model that gives each symbol its probability, whatever came before."""
    tokenizer = tokenizers.fit("char", ["".join(probabilities)])
    settings = NetworkSettings(cell="rnn", hidden_size=2, embedding_size=0)  # one-hot
    shapes = expected_shapes(settings, tokenizer.vocab_size)
    weights = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    symbols = tokenizer.pieces(np.arange(tokenizer.vocab_size))
    logits = [math.log(probabilities[symbol]) for symbol in symbols]
    weights["projection.bias"] = np.array(logits, np.float32)
    record = store.RunRecord(
        kind="language_model",
        task="lm",
        seed=0,
        version="0.1.0",
        config={"model": to_json(settings), "data": {"encoding": None, "tokens": "char"}},
        facts={CONTEXT: symbols[0], "train_tokens": 60},
        **entries,
    )
    store.create(folder, record, {TOKENIZER: tokenizer.to_json()})
    store.save_tensors(folder / store.MODEL, weights, {})
    return str(folder)
