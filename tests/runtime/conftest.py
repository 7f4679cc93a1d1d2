"""Language models small enough to work out by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from recurra.runtime import LanguageModel, NetworkSettings, expected_shapes
from recurra.text.tokenizers import Tokenizer, fit

SYMBOLS = "\nabc"
# p(next | symbol): a row a symbol, in the order of SYMBOLS.
BIGRAMS = np.array(
    [
        [0.1, 0.5, 0.2, 0.2],
        [0.25, 0.05, 0.6, 0.1],
        [0.2, 0.2, 0.2, 0.4],
        [0.7, 0.1, 0.1, 0.1],
    ]
)


def weights_for(
    settings: NetworkSettings, vocab_size: int, seed: int = 0
) -> dict[str, NDArray[np.float32]]:
    """Random weights of the shapes that the settings ask for, in ±0.4."""
    rng = np.random.default_rng(seed)
    shapes = expected_shapes(settings, vocab_size)
    return {
        name: rng.uniform(-0.4, 0.4, shape).astype(np.float32) for name, shape in shapes.items()
    }


def bigram_weights(probabilities: NDArray[np.float64]) -> dict[str, NDArray[np.float32]]:
    """A tanh network without recurrence whose softmax is p(next | last symbol)."""
    size = len(probabilities)
    one_hot = np.eye(size)
    return {
        "recurrent.l0.weight_ih": (20 * one_hot).astype(np.float32),  # tanh(20) is 1 in float32
        "recurrent.l0.weight_hh": np.zeros((size, size), np.float32),
        "recurrent.l0.bias": np.zeros(size, np.float32),
        "projection.weight": np.log(probabilities).T.astype(np.float32),
        "projection.bias": np.zeros(size, np.float32),
    }


@pytest.fixture
def tokenizer() -> Tokenizer:
    return fit("char", [SYMBOLS])


@pytest.fixture
def bigram(tokenizer: Tokenizer) -> LanguageModel:
    """p(next | last) is BIGRAMS."""
    settings = NetworkSettings(cell="rnn", hidden_size=4, embedding_size=0)
    return LanguageModel(settings, tokenizer, bigram_weights(BIGRAMS))


@pytest.fixture
def bigram_of() -> Callable[..., LanguageModel]:
    """Makes a bigram model over any tokenizer."""

    def make(
        tokenizer: Tokenizer, probabilities: NDArray[np.float64], stop: str | None = None
    ) -> LanguageModel:
        settings = NetworkSettings(cell="rnn", hidden_size=len(probabilities), embedding_size=0)
        return LanguageModel(settings, tokenizer, bigram_weights(probabilities), stop=stop)

    return make


@pytest.fixture
def random_model() -> Callable[..., LanguageModel]:
    """Makes a model with random weights over an alphabet of `symbols` characters."""

    def make(symbols: int = 27, seed: int = 0, **settings: Any) -> LanguageModel:
        alphabet = "\n" + "".join(chr(ord("a") + index) for index in range(symbols - 1))
        wanted = NetworkSettings(**{"hidden_size": 12, **settings})
        weights = weights_for(wanted, symbols, seed)
        return LanguageModel(wanted, fit("char", [alphabet]), weights)

    return make


@pytest.fixture
def bigrams() -> NDArray[np.float64]:
    return BIGRAMS


@pytest.fixture
def random_weights() -> Callable[..., dict[str, NDArray[np.float32]]]:
    """`weights_for`: random weights for settings and a vocabulary size."""
    return weights_for
