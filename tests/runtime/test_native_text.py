"""The text that the kernels draw, symbol by symbol, against NumPy's: float32 and int8."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import recurra
from recurra import kernels, rng
from recurra.decoding import Filters
from recurra.runtime import LanguageModel, NetworkSettings, native
from recurra.runtime.scoring import evaluate_stream
from recurra.text.tokenizers import fit
from tests.runtime.without_kernels import ROUNDING, without_kernels

pytestmark = pytest.mark.skipif(
    kernels.why_missing() is not None, reason=f"no native kernels: {kernels.why_missing()}"
)

F64 = NDArray[np.float64]

# With AVX-512 VNNI int8 weights are multiplied with 16-bit numbers: off by 1.5e-5 of the largest.
ROUNDING_INT8 = 1e-4
CARRIED = 10  # times larger: the recurrence carries both ways' rounding along, in state and nats
TEXT = "\n".join(topics[name] for name in sorted(topics))[:200_000]
ALPHABET = "\nabcdefghijklmnopqrstuvwxyz"
FILTERS = [
    Filters(),
    Filters(temperature=0.5),
    Filters(temperature=0),
    Filters(temperature=0.9, top_k=5),
    Filters(temperature=1.2, top_k=20, top_p=0.9),
]


def lies_on_a_border(log_probs: F64, filters: Filters, uniform: float, width: float) -> bool:
    """Whether rounding decides which symbol is drawn, or which ones a filter keeps."""
    borders = []
    ordered = np.sort(log_probs)[::-1]
    if filters.temperature == 0:
        borders.append(ordered[0] - ordered[1])
    if filters.top_k is not None:
        borders.append(ordered[filters.top_k - 1] - ordered[filters.top_k])
    if filters.top_p is not None:
        before = Filters(temperature=filters.temperature, top_k=filters.top_k)
        shares = np.cumsum(np.sort(before.probabilities(log_probs))[::-1])
        borders.append(np.abs(shares - filters.top_p).min())
    shares = np.cumsum(filters.probabilities(log_probs))
    borders.append(np.abs(shares / shares[-1] - uniform).min())
    return bool(min(borders) < width)


def assert_same_text(
    make: Callable[[], LanguageModel], filters: Filters, length: int, rounding: float
) -> int:
    """The number of draws that differ, each of which lies on a border; after one the kernels go on
    from NumPy's choice and state."""
    fast, slow = make(), without_kernels(make)
    assert fast.sampler is not None
    uniforms = rng.generator(7, "test").random((length, 1))
    ids, fast_state, slow_state = np.array([0]), fast.initial_state(1), slow.initial_state(1)
    differing = done = 0
    while done < length:
        part = uniforms[done : done + native.LONGEST_CHUNK]
        found = fast.sampler.draw(
            ids, fast_state, part, temperature=filters.temperature,
            top_k=filters.top_k, top_p=filters.top_p,
        )  # fmt: skip
        fast_state = found.state
        for index, (uniform,) in enumerate(part):
            log_probs, slow_state = slow.step(ids, slow_state)
            wanted = rng.draw(filters.probabilities(log_probs[0]), uniform)
            same = wanted == found.ids[index, 0]
            if same:
                nats = found.nats[index, 0]
                assert nats == pytest.approx(-log_probs[0, wanted], abs=CARRIED * rounding)
            ids, done = np.array([wanted]), done + 1
            if not same:
                assert lies_on_a_border(log_probs[0], filters, uniform, rounding)
                differing, fast_state = differing + 1, slow_state
                break
        else:
            bound = CARRIED * rounding
            for one, other in zip(fast_state, slow_state, strict=True):
                np.testing.assert_allclose(one, other, rtol=bound, atol=bound)
    return differing


@pytest.mark.parametrize("int8", [False, True], ids=["float32", "int8"])
@pytest.mark.parametrize("name", kernels.names())
def test_the_kernels_write_the_text_that_numpy_writes(
    name: str, int8: bool, random_weights: Callable[..., Any]
) -> None:
    settings = NetworkSettings(cell=name, num_layers=2, hidden_size=24)
    weights = random_weights(settings, 27)

    def make() -> LanguageModel:
        return LanguageModel(settings, fit("char", [ALPHABET]), weights, int8=int8)

    rounding = ROUNDING_INT8 if int8 else ROUNDING
    differing = [assert_same_text(make, one, 200, rounding) for one in FILTERS]
    assert sum(differing) <= 2, f"{differing} of 200 draws each lay on a border"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Trains a small language model of a cell on a part of the built-in text, once a module."""
    pytest.importorskip("torch", reason="training needs torch")
    folder = tmp_path_factory.mktemp("trained")
    (folder / "text.txt").write_text(TEXT)
    made: dict[str, Path] = {}

    def train(cell: str) -> Path:
        if cell not in made:
            made[cell] = folder / cell
            recurra.train(
                "lm",
                folder / "text.txt",
                out=made[cell],
                steps=500,
                cell=cell,
                hidden_size=48,
                num_layers=2,
                batch_size=16,
                seq_len=32,
                learning_rate=5e-3,
                validate_every=500,
                sample_every=0,
            )
        return made[cell]

    return train


@pytest.mark.slow
@pytest.mark.parametrize("int8", [False, True], ids=["float32", "int8"])
@pytest.mark.parametrize("name", sorted({*kernels.names()} - {"irnn"}))  # is relu_rnn once trained
def test_ten_thousand_characters_of_a_trained_model_are_those_of_numpy(
    name: str, int8: bool, trained: Callable[[str], Path]
) -> None:
    def make() -> LanguageModel:
        return LanguageModel.open(trained(name), int8=int8)

    rounding = ROUNDING_INT8 if int8 else ROUNDING
    differing = [assert_same_text(make, one, 2_000, rounding) for one in FILTERS]
    print(f"{name}: {differing} of 2,000 draws each lay on a border")
    assert sum(differing) <= 10  # a uniform lies near one of some ten likely borders: 1e-5 · 10 · N


@pytest.mark.slow
@pytest.mark.parametrize("name", kernels.names())
def test_ten_thousand_characters_of_a_random_model_are_those_of_numpy(
    name: str, random_weights: Callable[..., Any]
) -> None:
    settings = NetworkSettings(cell=name, num_layers=2, hidden_size=40, embedding_size=0)
    # ±0.2: at twice that recurrences of 40 units are chaotic, and amplify rounding without limit
    weights = {key: value / 2 for key, value in random_weights(settings, 27).items()}

    def make() -> LanguageModel:
        return LanguageModel(settings, fit("char", [ALPHABET]), weights)

    differing = [assert_same_text(make, one, 2_000, ROUNDING) for one in FILTERS]
    print(f"{name}: {differing} of 2,000 draws each lay on a border")
    assert sum(differing) <= 10


@pytest.mark.slow
def test_int8_costs_a_trained_model_less_than_a_hundredth_of_a_nat(
    trained: Callable[[str], Path],
) -> None:
    folder = trained("lstm")
    exact, int8 = (LanguageModel.open(folder, int8=flag) for flag in (False, True))
    ids = exact.tokenizer.encode(TEXT[-10_000:])
    nats = [evaluate_stream(model, ids).nats_per_token for model in (exact, int8)]
    print(f"nats a token: float32 {nats[0]:.5f}, int8 {nats[1]:.5f}")
    # weights are off by at most 1/254 of the largest of their row, evenly to both sides
    assert nats[1] - nats[0] < 0.01
    assert nats[1] != nats[0]
    assert int8.sampler is not None
    drawn, _ = int8.sampler.nats(ids[:, None], int8.initial_state(1))
    assert float(drawn.mean()) == pytest.approx(nats[1], abs=ROUNDING_INT8)  # what is drawn from
