"""The runtime's steps against an LSTM written out in NumPy float64, and against themselves."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from recurra import cells
from recurra.errors import ConfigError, DataError, ShapeError
from recurra.runtime import LanguageModel, NetworkSettings, default_context, expected_shapes
from recurra.runtime import language_model as module
from recurra.runtime.sampling import sample
from recurra.text.tokenizers import Tokenizer, fit

Make = Callable[..., LanguageModel]
F64 = NDArray[np.float64]

# The runtime computes in float32 (unit roundoff 6e-8), the reference in float64. Logits here are
# below 3 and sums have fewer than 30 terms, which stays under 1e-6 over some dozen steps.
FLOAT32 = 1e-6


def reference(
    weights: dict[str, F64], inputs: F64, layers: int, initial: list[tuple[F64, F64]]
) -> F64:
    """log p(next) (T, V) of an LSTM for inputs (T, I) of one sequence, a scalar loop of steps."""
    xs = list(inputs)
    for depth in range(layers):
        w_ih, w_hh, b = (
            weights[f"recurrent.l{depth}.{name}"] for name in ("weight_ih", "weight_hh", "bias")
        )
        h, c = initial[depth]
        outputs = []
        for x in xs:
            i, f, g, o = np.split(w_ih @ x + b + w_hh @ h, 4)
            c = c / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
            h = np.tanh(c) / (1 + np.exp(-o))
            outputs.append(h)
        xs = outputs
    projection = weights.get("projection.weight", weights.get("embedding.weight"))
    assert projection is not None
    logits = np.array([projection @ h + weights["projection.bias"] for h in xs])
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))  # type: ignore[no-any-return]


SETTINGS: list[dict[str, Any]] = [
    {"embedding_size": 0},
    {"embedding_size": 0, "num_layers": 2},
    {"embedding_size": 5},
    {"tied": True, "num_layers": 3},
    {"learned_state": True, "num_layers": 2},
]


@pytest.mark.parametrize("table", ["table", "no table"])
@pytest.mark.parametrize("asked", SETTINGS, ids=str)
def test_step_read_and_nats_are_the_equations_in_float64(
    asked: dict[str, Any], table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if table == "no table":
        monkeypatch.setattr(module, "LARGEST_TABLE", 0)
    settings = NetworkSettings(hidden_size=6, **asked)
    rng = np.random.default_rng(1)
    shapes = expected_shapes(settings, 11)
    weights = {name: rng.uniform(-0.5, 0.5, shape) for name, shape in shapes.items()}
    single = {name: value.astype(np.float32) for name, value in weights.items()}
    weights = {name: value.astype(np.float64) for name, value in single.items()}
    model = LanguageModel(settings, fit("char", ["\nabcdefghij"]), single)
    ids = rng.integers(0, 11, 14)
    embedding = weights.get("embedding.weight", np.eye(11))
    initial = [
        tuple(
            weights.get(f"recurrent.l{depth}.initial_{name}", np.zeros(6))
            for name in ("hidden", "cell")
        )
        for depth in range(settings.num_layers)
    ]
    expected = reference(weights, embedding[ids], settings.num_layers, initial)  # type: ignore[arg-type]

    state = model.initial_state(1)
    for t, index in enumerate(ids):
        log_probs, state = model.step(np.array([index]), state)
        np.testing.assert_allclose(log_probs[0], expected[t], atol=FLOAT32)
    read, _ = model.read(ids[:, None], model.initial_state(1))
    np.testing.assert_allclose(read[0], expected[-1], atol=FLOAT32)
    nats, _ = model.nats(ids[:-1], ids[1:], model.initial_state(1))
    np.testing.assert_allclose(nats, -expected[np.arange(13), ids[1:]], atol=FLOAT32)


@pytest.mark.parametrize("name", cells.names())
def test_every_cell_reads_a_stretch_as_it_steps(name: str, random_model: Make) -> None:
    model = random_model(cell=name, num_layers=2)
    ids = np.random.default_rng(0).integers(0, 27, (9, 3))
    state = model.initial_state(3)
    stepped = []
    for t in range(8):
        log_probs, state = model.step(ids[t], state)
        stepped.append(-log_probs[np.arange(3), ids[t + 1]])
    nats, after = model.nats(ids[:-1], ids[1:], model.initial_state(3))
    np.testing.assert_allclose(nats, stepped, atol=FLOAT32)
    for one, other in zip(after, state, strict=True):
        np.testing.assert_allclose(one, other, atol=FLOAT32)


def test_small_stretches_of_gates_and_of_logits_change_nothing(
    random_model: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = random_model(num_layers=2)
    ids = np.random.default_rng(0).integers(0, 27, (24, 3))
    whole, after = model.nats(ids[:-1], ids[1:], model.initial_state(3))
    monkeypatch.setattr(module, "GATES_AT_ONCE", 48 * 3 * 5)  # five steps
    monkeypatch.setattr(module, "LOGITS_AT_ONCE", 27 * 4)  # four rows
    parts, after_parts = model.nats(ids[:-1], ids[1:], model.initial_state(3))
    # The same products, blocked otherwise by the BLAS.
    np.testing.assert_allclose(parts, whole, atol=FLOAT32)
    np.testing.assert_allclose(after_parts, after, atol=FLOAT32)


def test_two_halves_with_the_state_between_are_the_whole(random_model: Make) -> None:
    model = random_model()
    ids = np.random.default_rng(0).integers(0, 27, 21)
    whole, _ = model.nats(ids[:-1], ids[1:], model.initial_state(1))
    first, state = model.nats(ids[:9], ids[1:10], model.initial_state(1))
    second, _ = model.nats(ids[9:-1], ids[10:], state)
    np.testing.assert_allclose(np.concatenate([first, second]), whole, atol=FLOAT32)


def test_a_state_given_is_not_changed(random_model: Make) -> None:
    model = random_model(learned_state=True, num_layers=2)
    state = model.initial_state(2)
    before = [[array.copy() for array in layer] for layer in state]
    model.nats(np.zeros((5, 2), np.int64), np.ones((5, 2), np.int64), state)
    model.step(np.array([1, 2]), state)
    for layer, old in zip(state, before, strict=True):
        for array, expected in zip(layer, old, strict=True):
            np.testing.assert_array_equal(array, expected)


def test_probabilities_sum_to_one_however_large_the_logits() -> None:
    settings = NetworkSettings(cell="rnn", hidden_size=2, embedding_size=0)
    weights = {
        name: np.full(shape, 1e4, np.float32)
        for name, shape in expected_shapes(settings, 3).items()
    }
    weights["projection.bias"] = np.array([0.0, 1e4, -1e4], np.float32)
    model = LanguageModel(settings, fit("char", ["\nab"]), weights)
    log_probs, _ = model.step(np.array([0]), model.initial_state(1))
    assert np.exp(log_probs).sum() == pytest.approx(1, abs=1e-15)
    nats, _ = model.nats(np.array([0]), np.array([2]), model.initial_state(1))
    assert nats.tolist() == [2e4]


def test_the_default_context_is_a_newline() -> None:
    assert default_context(fit("char", ["ab\n"]), np.array([1, 50, 50])) == "\n"
    assert default_context(fit("word", ["a b"]), np.array([1, 0, 50, 50])) == "\n"
    assert default_context(fit("byte", ["a"]), np.ones(256, np.int64)) == "\n"


def test_without_a_newline_the_context_is_the_most_frequent_known_symbol() -> None:
    assert default_context(fit("char", ["hello"]), np.array([1, 1, 2, 1])) == "l"
    cut = fit("char", ["aaabbcd"], max_vocab=3)  # a, b and the unknown symbol
    assert default_context(cut, np.array([2, 3, 9])) == "b"


@pytest.mark.parametrize(
    ("ids", "batch", "error", "message"),
    [
        ([4], 1, DataError, "symbol 4 is not in the model's vocabulary of 4"),
        ([-1], 1, DataError, "symbol -1 is not in the model's vocabulary of 4"),
        ([], 1, DataError, "there is no symbol to read: give at least one"),
        ([1, 2], 1, ShapeError, "state[0].hidden must have shape (2, 4) but has (1, 4)"),
    ],
)
def test_a_bad_step_is_named(
    bigram: LanguageModel, ids: list[int], batch: int, error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as caught:
        bigram.step(np.array(ids, np.int64), bigram.initial_state(batch))
    assert message in str(caught.value)


@pytest.mark.parametrize("cell", ["lstm", "peephole_lstm"])  # with a kernel and without
def test_the_state_of_another_model_is_named(cell: str, random_model: Make) -> None:
    model, ids = random_model(cell=cell, num_layers=2), np.array([1])
    state = model.initial_state(1)
    with pytest.raises(ShapeError, match=r"state must be 2 layers of 2 fields but has \[2\]"):
        model.step(ids, state[:1])
    with pytest.raises(ShapeError, match=r"2 layers of 2 fields but has \[1, 1\]"):
        model.step(ids, random_model(cell="gru", num_layers=2).initial_state(1))
    narrow = state[1]._replace(cell=state[1].cell[:, :1])  # NumPy would repeat it
    with pytest.raises(
        ShapeError, match=r"state\[1\]\.cell must have shape \(1, 12\) but has \(1, 1"
    ):
        model.step(ids, (state[0], narrow))


def test_copies_and_pickles_draw_what_the_model_draws(random_model: Make) -> None:
    model = random_model()
    text = sample(model, length=20)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert sample(other, length=20) == text


def test_targets_of_another_shape_are_named(bigram: LanguageModel) -> None:
    with pytest.raises(ShapeError, match=r"targets must have shape \(3,\) but has \(2,\)"):
        bigram.nats(np.zeros(3, np.int64), np.zeros(2, np.int64), bigram.initial_state(1))


def test_weights_that_do_not_fit_are_named(tokenizer: Tokenizer) -> None:
    settings = NetworkSettings(cell="rnn", hidden_size=2, embedding_size=0)
    weights = {name: np.zeros(shape) for name, shape in expected_shapes(settings, 4).items()}
    with pytest.raises(ShapeError, match=r"projection.bias must have shape \(4,\) but has \(5,\)"):
        LanguageModel(settings, tokenizer, {**weights, "projection.bias": np.zeros(5)})
    weights["extra"] = weights.pop("projection.bias")
    with pytest.raises(ConfigError, match=r"missing projection.bias; not asked for extra\."):
        LanguageModel(settings, tokenizer, weights)


def test_a_context_without_a_symbol_is_named(tokenizer: Tokenizer) -> None:
    settings = NetworkSettings(cell="rnn", hidden_size=2, embedding_size=0)
    weights = {name: np.zeros(shape) for name, shape in expected_shapes(settings, 4).items()}
    with pytest.raises(ConfigError, match="context = '': must hold a symbol"):
        LanguageModel(settings, tokenizer, weights, context="")
