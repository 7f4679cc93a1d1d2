"""The runtime with the kernels against the runtime without: text, states, figures, int8.

The NumPy path is proved in test_language_model.py and in tests/decoding; here it is the oracle.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
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
from recurra.runtime.sampling import beam, sample, stream
from recurra.runtime.scoring import evaluate_stream, evaluate_windows, score
from recurra.text.tokenizers import fit

SETS = () if kernels.why_missing() else kernels.instruction_sets().available
pytestmark = pytest.mark.skipif(
    kernels.why_missing() is not None, reason=f"no native kernels: {kernels.why_missing()}"
)

Make = Callable[..., LanguageModel]
F64 = NDArray[np.float64]

# A logit is a float32 sum of some dozen products, rounded by 6e-8 each: between two ways to add
# them up, a probability differs by less than this share of itself.
ROUNDING = 1e-5
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


def without_kernels(make: Callable[[], LanguageModel]) -> LanguageModel:
    """What `make` makes, on the NumPy path for good."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECURRA_KERNELS", "off")
        model = make()
    assert model.sampler is None
    return model


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


def both(random_model: Make, **settings: Any) -> tuple[LanguageModel, LanguageModel]:
    """A random model with the kernels, and the same without."""
    return random_model(**settings), without_kernels(lambda: random_model(**settings))


@pytest.mark.parametrize("name", kernels.names())
def test_samples_streams_and_beams_are_those_of_numpy(name: str, random_model: Make) -> None:
    fast, slow = both(random_model, cell=name, num_layers=2, learned_state=True)
    asked: dict[str, Any] = {"length": 150, "temperature": 0.9, "top_p": 0.95, "stop": ("qz", "j")}
    samples, expected = (sample(model, "abc", count=4, **asked) for model in (fast, slow))
    assert [one.text for one in samples] == [one.text for one in expected]
    for one, other in zip(samples, expected, strict=True):
        assert one.nats == pytest.approx(other.nats, abs=150 * ROUNDING)
    assert "".join(stream(fast, "abc", **asked)) == expected[0].text
    beams = [beam(model, "ab", length=9, width=5) for model in (fast, slow)]
    for found, wanted in zip(*beams, strict=True):
        assert (found.text, found.nats) == (wanted.text, pytest.approx(wanted.nats, abs=ROUNDING))


@pytest.mark.parametrize("name", kernels.names())
def test_figures_are_those_of_numpy(name: str, random_model: Make) -> None:
    fast, slow = both(random_model, cell=name, num_layers=2)
    ids = np.random.default_rng(0).integers(0, 27, 5_000)
    exact = [evaluate_stream(model, ids).nats_per_token for model in (fast, slow)]
    assert exact[0] == pytest.approx(exact[1], abs=1e-5)
    windows = [
        evaluate_windows(model, ids, window=50, count=70, seed=1).nats_per_token
        for model in (fast, slow)
    ]
    assert windows[0] == pytest.approx(windows[1], abs=1e-5)
    found, wanted = (score(model, "thequickbrownfox").nats for model in (fast, slow))
    np.testing.assert_allclose(found, wanted, atol=1e-5)


class Counting:
    """A generator that knows how many uniforms were asked of it at a time."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.generator = rng.generator(0, "counting")

    def random(self, count: int) -> F64:
        self.asked.append(count)
        return self.generator.random(count)


def drawn_in(
    model: LanguageModel, length: int, *, ended_at: int | None = None, whole: bool = False
) -> list[int]:
    """How many symbols each call drew."""
    counting, consumed = Counting(), 0

    def ended(row: int) -> bool:
        return ended_at is not None and consumed >= ended_at

    assert model.sampler is not None
    drawn = native.sequences(
        model.sampler, np.array([0]), model.initial_state(1), length=length, filters=Filters(),
        generators=[counting], ended=ended, whole=whole,  # type: ignore[list-item]
    )  # fmt: skip
    for one in drawn:
        consumed += len(one.ids)
        assert len(one.nats) == len(one.ids) == counting.asked[-1]
    assert ended_at is not None or consumed == length
    return counting.asked


def test_the_first_symbol_is_drawn_alone_and_chunks_grow(random_model: Make) -> None:
    model = random_model()
    assert drawn_in(model, 200) == [1, 2, 4, 8, 16, 32, 64, 64, 9]
    assert drawn_in(model, 200, ended_at=5) == [1, 2, 4]
    assert drawn_in(model, 0) == []


def test_where_nobody_waits_and_no_text_ends_chunks_are_long_from_the_beginning(
    random_model: Make,
) -> None:
    assert drawn_in(random_model(), 2_500, whole=True) == [1024, 1024, 452]


def test_a_large_network_is_drawn_from_in_small_chunks(
    random_model: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = random_model()
    assert model.sampler is not None
    monkeypatch.setattr(native, "PRODUCTS_AT_ONCE", 3 * model.sampler.products)
    assert drawn_in(model, 9) == [1, 2, 3, 3]
    assert drawn_in(model, 7, whole=True) == [3, 3, 1]
    monkeypatch.setattr(native, "PRODUCTS_AT_ONCE", 1)
    assert drawn_in(model, 3) == [1, 1, 1]


def test_the_state_after_a_stop_is_that_of_the_text_kept(random_model: Make) -> None:
    fast, slow = both(random_model, num_layers=2)
    assert fast.sampler is not None
    uniforms = np.random.default_rng(0).random((64, 1))
    start = fast.initial_state(1)
    chunk = fast.sampler.draw(np.array([0]), start, uniforms)
    kept = fast.sampler.draw(np.array([0]), start, uniforms[:20])
    assert np.array_equal(kept.ids, chunk.ids[:20])
    read = np.concatenate([[0], kept.ids[:-1, 0]])  # the last is drawn, not yet fed
    _, expected = slow.read(read[:, None], start)
    for one, other in zip(kept.state, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=ROUNDING)


def test_cells_without_a_kernel_are_drawn_from_in_numpy(random_model: Make) -> None:
    model = random_model(cell="mgu")
    assert model.sampler is None
    assert len(sample(model, "abc", length=20)[0].text) == 20


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


TORCHLESS = """
import json, sys
from string import ascii_lowercase
sys.modules["torch"] = None  # any import of it fails
import numpy as np
from recurra.runtime import LanguageModel, NetworkSettings, expected_shapes
from recurra.runtime.sampling import sample
from recurra.text.tokenizers import fit
settings = NetworkSettings(cell="gru", hidden_size=16, num_layers=2)
rng = np.random.default_rng(0)
weights = {
    name: rng.uniform(-0.4, 0.4, shape).astype(np.float32)
    for name, shape in expected_shapes(settings, 27).items()
}
model = LanguageModel(settings, fit("char", ["\\n" + ascii_lowercase]), weights)
assert model.sampler is not None
print(json.dumps([one.text for one in sample(model, "abc", length=100, count=2)]))
"""


def test_it_runs_where_torch_cannot_be_imported_and_at_every_set_writes_the_same() -> None:
    texts = set()
    for name in (*kernels.instruction_sets().available, "off"):
        chosen = {"RECURRA_KERNELS": "off"} if name == "off" else {"RECURRA_ISA": name}
        code = TORCHLESS.replace("is not None", "is None") if name == "off" else TORCHLESS
        done = subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, **chosen}, capture_output=True,
            text=True, check=True,
        )  # fmt: skip
        texts.add(tuple(json.loads(done.stdout)))
    assert len(texts) == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", SETS[1:])
def test_all_of_this_file_holds_at_the_other_sets(name: str) -> None:
    others = f"not {test_all_of_this_file_holds_at_the_other_sets.__name__}"
    command = [sys.executable, "-m", "pytest", "-q", "-k", others, __file__]
    environment = {**os.environ, "RECURRA_ISA": name}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
