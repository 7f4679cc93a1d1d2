"""Random numbers: one counter-based generator a purpose, whose state is JSON, and one rule to draw.

NumPy only. Dropout masks are made by torch from a seed that `Streams.step_seed` derives, so that
they depend on the step alone and not on what was drawn before it.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

PURPOSES = ("init", "order", "sample")


class Streams:
    """Independent generators for one seed: `init` (weights), `order` (data), `sample` (text).

    Drawing from one never moves another. Philox-4x64 keyed by SHA-256 of seed and purpose.
    """

    init: np.random.Generator
    order: np.random.Generator
    sample: np.random.Generator

    def __init__(self, seed: int) -> None:
        self.seed = seed
        for purpose in PURPOSES:
            setattr(self, purpose, generator(seed, purpose))

    def step_seed(self, purpose: str, step: int) -> int:
        """A 63-bit seed that depends on (seed, purpose, step) alone."""
        return int.from_bytes(_digest(self.seed, f"{purpose}/{step}"), "little") >> 65

    def state(self) -> dict[str, Any]:
        """The state of every generator as JSON values."""
        return {purpose: generator_state(getattr(self, purpose)) for purpose in PURPOSES}

    def restore(self, state: dict[str, Any]) -> None:
        """Puts back what `state` gave."""
        for purpose in PURPOSES:
            restore_generator(getattr(self, purpose), state[purpose])


def generator(seed: int, purpose: str) -> np.random.Generator:
    """A generator of its own for (seed, purpose)."""
    keyed: Any = _Keyed(_digest(seed, purpose))  # NumPy's stubs know SeedSequence alone
    return np.random.Generator(np.random.Philox(keyed))


def generator_state(rng: np.random.Generator) -> dict[str, Any]:
    """The generator's state as JSON values."""
    state: dict[str, Any] = _plain(rng.bit_generator.state)
    return state


def restore_generator(rng: np.random.Generator, state: dict[str, Any]) -> None:
    """Puts back what `generator_state` gave; ValueError for a position outside its buffer."""
    if not 0 <= state["buffer_pos"] <= len(state["buffer"]["uint64"]):
        raise ValueError(f"buffer_pos = {state['buffer_pos']}")  # NumPy would read past its buffer
    rng.bit_generator.state = _arrays(state)


def draw(probabilities: NDArray[np.floating[Any]], uniform: float) -> int:
    """The index drawn by inverse CDF, in index order, from unnormalised float64 `probabilities`.

    The one rule by which Recurra draws a symbol: the first index whose cumulative sum exceeds
    `uniform` (in [0, 1)) times the total. An index of probability zero is never drawn.
    """
    cumulative = np.cumsum(probabilities, dtype=np.float64)
    index = int(np.searchsorted(cumulative, uniform * cumulative[-1], side="right"))
    if index < len(cumulative):
        return index
    return int(np.flatnonzero(probabilities)[-1])  # uniform * total rounded up to the total


class _Keyed(np.random.bit_generator.ISeedSequence):
    """Where Philox gets its key from, 16 bytes. Told it as `key`, NumPy asks the system for entropy
    first, which takes most of the time that a generator takes."""

    def __init__(self, key: bytes) -> None:
        self._words = np.frombuffer(key, "<u8").astype(np.uint64)

    def generate_state(self, n_words: int, dtype: Any = np.uint32) -> NDArray[Any]:
        assert (n_words, dtype) == (self._words.size, np.uint64)
        return self._words


def _digest(seed: int, purpose: str) -> bytes:
    return hashlib.sha256(f"recurra/{seed}/{purpose}".encode()).digest()[:16]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return {"uint64": [int(item) for item in value]}
    return int(value) if isinstance(value, np.integer) else value


def _arrays(value: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {"uint64"}:
            return np.array(value["uint64"], dtype=np.uint64)
        return {key: _arrays(item) for key, item in value.items()}
    return value
