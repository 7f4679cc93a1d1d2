"""Files that tasks are trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recurra.data import invented
from tests.tasks.small import SOME_NAMES
from tests.tasks.verse import VERSE


@pytest.fixture
def verse(tmp_path: Path) -> Path:
    path = tmp_path / "verse.txt"
    path.write_text(VERSE * 40)
    return path


@pytest.fixture
def words(tmp_path: Path) -> Path:
    """30 words of each invented language, with a header."""
    texts, labels, _ = invented.words()
    rows = [
        f"{labels[row]}\t{texts[row]}"
        for start in range(0, len(texts), invented.WORDS)
        for row in range(start, start + 30)
    ]
    path = tmp_path / "words.tsv"
    path.write_text("\n".join(["label\ttext", *rows]) + "\n")
    return path


@pytest.fixture
def waves(tmp_path: Path) -> Path:
    """Two kinds of sequence, of different lengths: rising and falling."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(3, 9, 80)
    kinds = np.arange(80) % 2
    steps = [
        np.stack([(1 - 2 * kind) * np.linspace(-1, 1, length), np.full(length, 5.0)], axis=1)
        for kind, length in zip(kinds, lengths, strict=True)
    ]
    path = tmp_path / "waves.npz"
    np.savez(path, x=np.concatenate(steps), lengths=lengths, y=np.array(["up", "down"])[kinds])
    return path


@pytest.fixture
def names(tmp_path: Path) -> Path:
    """Eight names, each five times."""
    path = tmp_path / "names.txt"
    path.write_text("\n".join(SOME_NAMES * 5) + "\n")
    return path
