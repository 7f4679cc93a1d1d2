"""The runtime with the kernels against the runtime without: samples, beams, figures, chunks, state.

The NumPy path is proved in test_language_model.py and in tests/decoding; here it is the oracle.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from recurra import kernels, rng
from recurra.decoding import Filters
from recurra.runtime import LanguageModel, native
from recurra.runtime.sampling import beam, sample, stream
from recurra.runtime.scoring import evaluate_stream, evaluate_windows, score
from tests.runtime.without_kernels import ROUNDING, without_kernels

SETS = () if kernels.why_missing() else kernels.instruction_sets().available
pytestmark = pytest.mark.skipif(
    kernels.why_missing() is not None, reason=f"no native kernels: {kernels.why_missing()}"
)

Make = Callable[..., LanguageModel]
F64 = NDArray[np.float64]


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
def test_this_file_and_the_one_of_the_text_hold_at_the_other_sets(name: str) -> None:
    others = f"not {test_this_file_and_the_one_of_the_text_hold_at_the_other_sets.__name__}"
    text = Path(__file__).with_name("test_native_text.py")
    command = [sys.executable, "-m", "pytest", "-q", "-k", others, __file__, str(text)]
    environment = {**os.environ, "RECURRA_ISA": name}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
