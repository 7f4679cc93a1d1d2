"""MinCharRNN against a reference that never derives a gradient: complex-step differentiation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from recurra.errors import ConfigError, DataError, ShapeError
from recurra.textbook import MinCharRNN

Array = NDArray[Any]
TEXT = "to be, or not to be: that is the question"
NAMES = ("Wxh", "Whh", "Why", "bh", "by")


def reference_loss(
    weights: dict[str, Array], inputs: list[int], targets: list[int], h: Array
) -> tuple[Any, Array]:
    """The lecture's forward pass, column vectors, one step after the other; complex or real."""
    loss = 0.0 + 0.0 * weights["bh"][0]
    for read, truth in zip(inputs, targets, strict=True):
        x = np.zeros(len(weights["by"]))
        x[read] = 1
        h = np.tanh(weights["Wxh"].dot(x) + weights["Whh"].dot(h) + weights["bh"])
        exponentials = np.exp(weights["Why"].dot(h) + weights["by"])
        loss = loss - np.log(exponentials[truth] / exponentials.sum())
    return loss, h


def complex_step_gradient(
    weights: dict[str, Array], name: str, inputs: list[int], targets: list[int], h: Array
) -> Array:
    """Im f(w + i·1e-30) / 1e-30: the derivative to rounding, as nothing is subtracted."""
    gradient = np.zeros(weights[name].shape)
    for index in np.ndindex(gradient.shape):
        shifted = {key: value.astype(complex) for key, value in weights.items()}
        shifted[name][index] += 1e-30j
        gradient[index] = reference_loss(shifted, inputs, targets, h)[0].imag / 1e-30
    return gradient


def rough(text: str = TEXT, seq_length: int = 7) -> MinCharRNN:
    """A small network whose weights are large enough for every term to count."""
    rnn = MinCharRNN(text, hidden_size=4, seq_length=seq_length)
    rng = np.random.default_rng(3)
    for value in rnn.parameters.values():
        value[...] = rng.normal(0, 0.6, value.shape)
    return rnn


@pytest.mark.parametrize("seq_length", [1, 7, len(TEXT)])
def test_every_gradient_is_the_numeric_one(seq_length: int) -> None:
    rnn = rough(seq_length=seq_length)  # len(TEXT): the chunk is the text, so this is full BPTT
    inputs, targets = rnn.chunk()
    h_prev = np.array([0.3, -0.2, 0.5, 0.1])
    _, gradients, _ = rnn.loss_and_gradients(inputs, targets, h_prev)
    assert set(gradients) == set(rnn.parameters) == set(NAMES)
    for name in NAMES:
        expected = complex_step_gradient(rnn.parameters, name, inputs, targets, h_prev)
        scale = np.linalg.norm(gradients[name]) + np.linalg.norm(expected)
        # both are good to rounding; the bound is the one the textbook promises
        assert np.linalg.norm(gradients[name] - expected) < 1e-6 * scale, name


def test_the_loss_trace_is_the_lectures_mathematics() -> None:
    """Two passes and more, with the short last chunk and the reset, clip, Adagrad and smoothing."""
    T = 7
    rnn = rough(seq_length=T)
    weights = {name: value.copy() for name, value in rnn.parameters.items()}
    memory = {name: np.zeros_like(value) for name, value in weights.items()}
    symbols = sorted(set(TEXT))
    data = [symbols.index(char) for char in TEXT]
    smooth = np.log(len(symbols)) * T
    position, h = 0, np.zeros(4)
    for _ in range(15):
        inputs, targets = data[:-1][position : position + T], data[1:][position : position + T]
        loss, h_last = reference_loss(weights, inputs, targets, h)
        gradients = {n: complex_step_gradient(weights, n, inputs, targets, h) for n in NAMES}
        for name, gradient in gradients.items():
            gradient = np.minimum(5, np.maximum(-5, gradient))
            memory[name] = memory[name] + gradient * gradient
            weights[name] = weights[name] - 0.1 * gradient / np.sqrt(memory[name] + 1e-8)
        smooth = 0.999 * smooth + 0.001 * loss * T / len(inputs)
        position, h = position + T, h_last
        if position >= len(data) - 1:
            position, h = 0, np.zeros(4)
        # 15 steps of float64 rounding, amplified by Adagrad's division: 1e-9 is some 10^5 above it
        assert rnn.step() == pytest.approx(loss, rel=1e-9)
        assert rnn.smooth_loss == pytest.approx(smooth, rel=1e-12)
    for name in NAMES:
        np.testing.assert_allclose(rnn.parameters[name], weights[name], rtol=0, atol=1e-9)


def test_hello_is_learned_and_argmax_from_h_spells_ello() -> None:
    rnn = MinCharRNN("hello")
    for _ in range(300):
        loss = rnn.step()
    assert loss < 0.01  # nats for the four characters: each has a probability above .99
    assert rnn.decode(rnn.sample(np.zeros(100), rnn.char_to_ix["h"], 4)) == "ello"


def test_the_vocabulary_is_sorted() -> None:
    rnn = MinCharRNN("zyxwvutsrqponmlkjihgfedcba")
    assert "".join(rnn.vocabulary) == "abcdefghijklmnopqrstuvwxyz"
    assert rnn.decode(rnn.encode("faces")) == "faces"


def test_huge_scores_do_not_overflow() -> None:
    rnn = rough()
    rnn.parameters["by"][0] = 5000.0  # exp would be inf, the loss nan, and the warning an error
    inputs, targets = rnn.chunk()
    loss, gradients, _ = rnn.loss_and_gradients(inputs, targets, rnn.h)
    assert 5000 < loss < 5100 * len(inputs)
    assert all(np.isfinite(gradient).all() for gradient in gradients.values())


@pytest.mark.parametrize("seq_length", [1, 2, 3, 4, 5, 25])
@pytest.mark.parametrize("text", ["ab", "hello", "abcdefghi"])
def test_a_pass_predicts_every_character_after_the_first_once(text: str, seq_length: int) -> None:
    rnn = MinCharRNN(text, hidden_size=2, seq_length=seq_length)
    for _ in range(2):
        read, predicted = [], []
        while True:
            inputs, targets = rnn.chunk()
            read += inputs
            predicted += targets
            rnn.step()
            if rnn.position == 0:
                break
        assert rnn.decode(read) == text[:-1]
        assert rnn.decode(predicted) == text[1:]


def test_the_state_is_carried_from_chunk_to_chunk_and_reset_after_the_last() -> None:
    rnn = rough("abcabcab", seq_length=3)  # chunks of 3, 3 and 1
    for chunk in range(3):
        inputs, _ = rnn.chunk()
        _, states, _ = rnn.forward(inputs, rnn.h)
        rnn.step()
        np.testing.assert_array_equal(rnn.h, states[-1] if chunk < 2 else np.zeros(4))


def test_chunks_with_the_state_carried_read_as_the_whole_does() -> None:
    rnn = rough()
    _, whole, _ = rnn.forward(rnn.data, rnn.h)
    _, first, _ = rnn.forward(rnn.data[:10], rnn.h)
    _, second, _ = rnn.forward(rnn.data[10:], first[-1])
    np.testing.assert_array_equal(np.vstack([first, second]), whole)


def test_the_smooth_loss_of_a_short_text_is_on_the_scale_of_a_full_chunk() -> None:
    rnn = MinCharRNN("hello", seq_length=25)
    assert rnn.smooth_loss == pytest.approx(25 * np.log(4), rel=1e-15)
    # weights of .01 predict almost evenly, ln 4 a character: a step must leave the average there
    rnn.step()
    assert rnn.smooth_loss == pytest.approx(25 * np.log(4), rel=1e-5)


def test_gradients_are_cut_to_5_before_adagrad_sees_them() -> None:
    rnn = MinCharRNN("a" * 100 + "b", hidden_size=1, seq_length=100)
    rnn.parameters["by"][:] = [0.0, 50.0]  # 'b' expected, 'a' comes 99 times: −99, 99
    before = rnn.parameters["by"].copy()
    rnn.step()
    np.testing.assert_array_equal(rnn.memory["by"], [25.0, 25.0])
    moved = rnn.parameters["by"] - before
    # 0.1 · 5 / sqrt(25 + 1e-8); the difference of numbers near 50 is good to 1e-14
    np.testing.assert_allclose(moved, [0.1, -0.1], rtol=0, atol=1e-9)


def test_sampling_is_seeded_and_leaves_training_untouched() -> None:
    quiet, talking = MinCharRNN(TEXT, hidden_size=8), MinCharRNN(TEXT, hidden_size=8)
    drawn = []
    for _ in range(5):
        drawn.append(talking.sample(talking.h, 0, 30, talking.streams.sample))
        assert quiet.step() == talking.step()
    np.testing.assert_array_equal(quiet.h, talking.h)
    for name in NAMES:
        np.testing.assert_array_equal(quiet.parameters[name], talking.parameters[name])
    again = MinCharRNN(TEXT, hidden_size=8)
    assert again.sample(again.h, 0, 30, again.streams.sample) == drawn[0]
    assert drawn[0] != drawn[1]


def test_sampling_follows_the_probabilities() -> None:
    rnn = MinCharRNN("ab", hidden_size=1)
    rnn.parameters["by"][:] = np.log([0.8, 0.2])
    rnn.parameters["Why"][:] = 0
    drawn = rnn.sample(np.zeros(1), 0, 2000, np.random.default_rng(0))
    # the share of 2,000 fair draws at p = .2 has a standard deviation of .009; four of them
    assert abs(np.mean(drawn) - 0.2) < 0.036


def test_the_seed_alone_decides_the_weights() -> None:
    first, same, other = (MinCharRNN(TEXT, seed=seed).parameters["Whh"] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)
    # 10,000 draws: the standard deviation's own is .01 / √20000 = 7e-5; four of them
    assert abs(first.std() - 0.01) < 3e-4


@pytest.mark.parametrize("text", ["", "a"])
def test_a_text_without_a_next_character_raises(text: str) -> None:
    with pytest.raises(DataError, match=f"two characters or more but has {len(text)}"):
        MinCharRNN(text)


def test_a_text_of_one_symbol_has_nothing_to_learn() -> None:
    assert MinCharRNN("aaaa").step() == 0.0


@pytest.mark.parametrize("setting", ["hidden_size", "seq_length", "learning_rate"])
def test_a_setting_that_is_not_positive_raises(setting: str) -> None:
    values: dict[str, Any] = {setting: 0}
    with pytest.raises(ConfigError, match=f"{setting} must be positive but is 0"):
        MinCharRNN("hello", **values)


def test_input_that_does_not_fit_the_network_raises() -> None:
    rnn = MinCharRNN("hello", hidden_size=3)
    with pytest.raises(DataError, match="the training text has no 'x', 'z'"):
        rnn.encode("hexez")
    with pytest.raises(ShapeError, match="2 inputs need as many targets but got 1"):
        rnn.loss_and_gradients([0, 1], [1], rnn.h)
    with pytest.raises(ShapeError, match="at least one index but is empty"):
        rnn.forward([], rnn.h)
    with pytest.raises(ShapeError, match=r"h_prev must have shape \(3,\) but has \(2,\)"):
        rnn.forward([0], np.zeros(2))
    with pytest.raises(DataError, match="labels must lie in 0 to 3 but go from -1 to -1"):
        rnn.sample(rnn.h, -1, 5)
