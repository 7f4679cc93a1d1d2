"""Runs of every format ever written, stored here as they were made: they open and go on, for ever.

`format_1`: `recurra train lm verse.txt …` (its config.json has the command) of version 0.1.0; the
text is written by the test, the paths are relative.
"""

from __future__ import annotations

import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file

import recurra
from recurra import store

STORED = sorted(
    path
    for path in Path(__file__).parent.iterdir()
    if path.is_dir() and path.name.startswith("format_")
)
VERSE = "the cat is small\nthe dog is tall\nthe hen is red\nthe cow is fed\n" * 40


@pytest.fixture(params=STORED, ids=lambda path: path.name)
def run(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of a stored run, in a folder where its text lies."""
    shutil.copytree(request.param, tmp_path / "run")
    (tmp_path / "verse.txt").write_text(VERSE, newline="")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "run"


def sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-x)))


def textbook_nats(run: Path, ids: list[int]) -> list[float]:
    """−ln p of ids[1:], by the LSTM's equations in float64 on the stored weights."""
    weights = {
        name: value.astype(np.float64) for name, value in load_file(run / store.MODEL).items()
    }
    size = weights["projection.weight"].shape[1]
    hidden, cell = np.zeros((2, size)), np.zeros((2, size))
    nats = []
    for index, target in pairwise(ids):
        x = weights["embedding.weight"][index]
        for depth in range(2):
            w = {
                name: weights[f"recurrent.l{depth}.{name}"]
                for name in ("weight_ih", "weight_hh", "bias")
            }
            i, f, g, o = np.split(
                w["weight_ih"] @ x + w["weight_hh"] @ hidden[depth] + w["bias"], 4
            )
            cell[depth] = sigmoid(f) * cell[depth] + sigmoid(i) * np.tanh(g)
            hidden[depth] = x = sigmoid(o) * np.tanh(cell[depth])
        logits = weights["projection.weight"] @ x + weights["projection.bias"]
        nats.append(float(np.log(np.exp(logits).sum()) - logits[target]))
    return nats


def test_every_format_up_to_this_one_is_stored() -> None:
    assert [path.name for path in STORED] == [f"format_{n}" for n in range(1, store.FORMAT + 1)]


def test_a_stored_run_gives_the_nats_of_its_equations(run: Path) -> None:
    symbols = sorted(set(VERSE))
    ids = [symbols.index(character) for character in "\nthe cat is small"]
    scored = recurra.load(run).score("the cat is small", context="\n")
    # float32 networks of 8 units over 16 steps against float64
    np.testing.assert_allclose(scored.nats, textbook_nats(run, ids), atol=1e-5)


def test_a_stored_run_samples_and_evaluates(run: Path) -> None:
    opened = recurra.load(run)
    assert set(str(opened.sample("the ", length=50))) <= set(VERSE)
    assert opened.evaluate(split="valid").tokens == 126  # as its config recorded


def test_a_stored_run_goes_on(run: Path) -> None:
    resumed = recurra.resume(run, steps=300)
    assert resumed.outcome is not None
    assert resumed.outcome.steps == 300
    before = 2.6018  # nats a token of the held-out streams when it was stored, as it recorded
    assert resumed.outcome.figures["nats_per_token_valid_streams"] < before
