"""The names program: its published trace, and a reference without any derived gradient."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from recurra.errors import ConfigError, DataError, ShapeError
from recurra.textbook import NamesReport, clip, initialize_parameters, model, optimize, sample

Array = NDArray[Any]
RIVERS = "Rhine\nElbe\nOder\nSpree\n\n Danube \nIsar\nLech\nInn\n"


@pytest.fixture
def dinos() -> str:
    folder = os.environ.get("RECURRA_DATA")
    if not folder:
        pytest.skip("the list of dinosaur names is not there: RECURRA_DATA is not set")
    path = Path(folder) / "dinos" / "dinos.txt"
    if not path.is_file():
        pytest.skip(f"the list of dinosaur names is not there: no {path}")
    return path.read_text(encoding="utf-8")


def test_the_published_trace_comes_out_to_the_printed_digit(dinos: str) -> None:
    reports: list[NamesReport] = []
    _, char_to_ix = model(dinos, num_iterations=2001, report=reports.append)
    assert len(char_to_ix) == 27
    assert [(report.iteration, f"{report.loss_nats:f}") for report in reports] == [
        (0, "23.087336"),
        (2000, "27.884160"),
    ]
    assert [" ".join(report.names) for report in reports] == [
        "Nkzxwtdmfqoeyhsqwasjkjvu Kneb Kzxwtdmfqoeyhsqwasjkjvu Neb Zxwtdmfqoeyhsqwasjkjvu Eb "
        "Xwtdmfqoeyhsqwasjkjvu",
        "Liusskeomnolxeros Hmdaairus Hytroligoraurus Lecalosapaus Xusicikoraurus "
        "Abalpsamantisaurus Tpraneronxeros",
    ]


def test_carrying_the_state_is_what_the_published_trace_does(dinos: str) -> None:
    reports: list[NamesReport] = []
    model(dinos, num_iterations=2001, carry_state=False, report=reports.append)
    assert f"{reports[0].loss_nats:f}" == "23.087336"  # the first name starts from zero either way
    assert f"{reports[1].loss_nats:f}" != "27.884160"


def reference_loss(
    weights: dict[str, Array], X: Sequence[int | None], Y: Sequence[int], a: Array
) -> tuple[Any, Array]:
    loss = 0.0
    for read, truth in zip(X, Y, strict=True):
        x = np.zeros(len(weights["by"]))
        if read is not None:
            x[read] = 1
        a = np.tanh(weights["Wax"].dot(x) + weights["Waa"].dot(a) + weights["ba"][:, 0])
        exponentials = np.exp(weights["Wya"].dot(a) + weights["by"][:, 0])
        loss = loss - np.log(exponentials[truth] / exponentials.sum())
    return loss, a


def complex_step_gradient(
    weights: dict[str, Array], name: str, X: Sequence[int | None], Y: Sequence[int], a: Array
) -> Array:
    """Im f(w + i·1e-30) / 1e-30: the derivative to rounding, as nothing is subtracted."""
    gradient = np.zeros(weights[name].shape)
    for index in np.ndindex(gradient.shape):
        shifted = {key: value.astype(complex) for key, value in weights.items()}
        shifted[name][index] += 1e-30j
        gradient[index] = reference_loss(shifted, X, Y, a)[0].imag / 1e-30
    return gradient


def reference_names(weights: dict[str, Array], symbols: list[str], many: int) -> list[str]:
    names = []
    for seed in range(many):
        x, a, name, grown = np.zeros(len(symbols)), np.zeros(len(weights["ba"])), "", seed
        for counter in range(50):
            a = np.tanh(weights["Wax"].dot(x) + weights["Waa"].dot(a) + weights["ba"][:, 0])
            exponentials = np.exp(weights["Wya"].dot(a) + weights["by"][:, 0])
            np.random.seed(counter + grown)
            drawn = np.random.choice(len(symbols), p=exponentials / exponentials.sum())
            grown += 1
            if symbols[drawn] == "\n":
                break
            name += symbols[drawn]
            x = np.eye(len(symbols))[drawn]
        names.append(name[:1].upper() + name[1:])
    return names


@pytest.mark.parametrize("carry_state", [True, False])
def test_a_small_list_gives_the_notes_mathematics(carry_state: bool) -> None:
    reports: list[NamesReport] = []
    parameters, char_to_ix = model(
        RIVERS, 24, 5, dino_names=3, carry_state=carry_state, report_every=8, report=reports.append
    )

    names = ["rhine", "elbe", "oder", "spree", "danube", "isar", "lech", "inn"]
    symbols = sorted(set("\n" + "".join(names)))
    np.random.seed(0)
    np.random.shuffle(names)
    np.random.seed(1)
    weights = {"Wax": np.random.randn(5, len(symbols)) * 0.01}
    weights["Waa"] = np.random.randn(5, 5) * 0.01
    weights["Wya"] = np.random.randn(len(symbols), 5) * 0.01
    weights |= {"ba": np.zeros((5, 1)), "by": np.zeros((len(symbols), 1))}
    smooth, a = -np.log(1 / len(symbols)) * 3, np.zeros(5)
    expected = []
    for iteration in range(24):
        ids = [symbols.index(char) for char in names[iteration % 8]]
        X, Y, start = [None, *ids], [*ids, 0], a if carry_state else np.zeros(5)
        loss, a = reference_loss(weights, X, Y, start)
        gradients = {key: complex_step_gradient(weights, key, X, Y, start) for key in weights}
        for key, gradient in gradients.items():
            weights[key] = weights[key] - 0.01 * np.minimum(5, np.maximum(-5, gradient))
        smooth = smooth * 0.999 + loss * 0.001
        if iteration % 8 == 0:
            expected.append((iteration, smooth, reference_names(weights, symbols, 3)))

    assert char_to_ix == {char: ix for ix, char in enumerate(symbols)}
    assert [(report.iteration, list(report.names)) for report in reports] == [
        (iteration, names) for iteration, _, names in expected
    ]
    # 24 steps of float64 rounding stay some 10^4 below these bounds
    for report, (_, loss, _) in zip(reports, expected, strict=True):
        assert report.loss_nats == pytest.approx(loss, rel=1e-12)
    for key, value in weights.items():
        np.testing.assert_allclose(parameters[key], value, rtol=0, atol=1e-12)


def test_optimize_steps_against_the_numeric_gradient() -> None:
    rng = np.random.default_rng(1)
    parameters = initialize_parameters(4, 6, 6)
    for value in parameters.values():
        value[...] = rng.normal(0, 0.5, value.shape)
    before = {name: value.copy() for name, value in parameters.items()}
    X, Y, a_prev = [None, 3, 1, 1], [3, 1, 1, 0], rng.normal(size=(4, 1))
    loss, gradients, a_last = optimize(X, Y, a_prev, parameters, learning_rate=0.05)
    expected_loss, expected_a = reference_loss(before, X, Y, a_prev[:, 0])
    # float64 rounding of a few dozen operations
    assert loss == pytest.approx(expected_loss, rel=1e-13)
    np.testing.assert_allclose(a_last[:, 0], expected_a, rtol=0, atol=1e-14)
    for name, value in before.items():
        expected = complex_step_gradient(before, name, X, Y, a_prev[:, 0])
        np.testing.assert_allclose(gradients[f"d{name}"], expected, rtol=0, atol=1e-12)
        np.testing.assert_allclose(parameters[name], value - 0.05 * expected, rtol=0, atol=1e-13)


def test_clip_cuts_at_both_ends_and_keeps_the_original() -> None:
    gradients = {"dba": np.array([-7.0, -5.0, 0.5, 6.0])}
    np.testing.assert_array_equal(clip(gradients, 5)["dba"], [-5.0, -5.0, 0.5, 5.0])
    np.testing.assert_array_equal(gradients["dba"], [-7.0, -5.0, 0.5, 6.0])


def test_optimize_cuts_gradients_to_5() -> None:
    parameters = initialize_parameters(2, 3, 3)
    parameters["by"][2] = 50.0  # expects 2, sees 1 twenty times: gradients of −20 and 20
    _, gradients, _ = optimize([None] + [1] * 19, [1] * 20, np.zeros((2, 1)), parameters)
    assert gradients["dby"][2, 0] == 5.0
    assert gradients["dby"][1, 0] == -5.0


def always(probabilities: Array) -> dict[str, Array]:
    """Parameters under which every character has these probabilities, whatever came before."""
    parameters = {name: 0 * value for name, value in initialize_parameters(2, 3, 3).items()}
    return parameters | {"by": np.log(probabilities)[:, np.newaxis]}


def draws(seed: int, probabilities: Array) -> list[int]:
    return [
        int(np.random.RandomState(seed + 2 * counter).choice(3, p=probabilities))
        for counter in range(50)
    ]


CHAR_TO_IX = {"\n": 0, "a": 1, "b": 2}
RARE_NEWLINE = np.array([0.02, 0.49, 0.49])


def test_a_name_whose_50th_symbol_is_the_newline_ends_in_one_newline() -> None:
    def newline_comes_50th(seed: int) -> bool:
        drawn = draws(seed, RARE_NEWLINE)
        return 0 not in drawn[:49] and drawn[49] == 0

    seed = next(seed for seed in count() if newline_comes_50th(seed))
    assert sample(always(RARE_NEWLINE), CHAR_TO_IX, seed) == draws(seed, RARE_NEWLINE)


def test_a_name_without_a_newline_is_cut_after_50_symbols() -> None:
    never = np.array([1e-300, 0.5, 0.5])
    assert sample(always(never), CHAR_TO_IX, 3) == [*draws(3, never), 0]


def test_a_name_ends_at_its_first_newline() -> None:
    even = np.array([0.2, 0.4, 0.4])
    for seed in range(20):
        drawn = draws(seed, even)
        assert sample(always(even), CHAR_TO_IX, seed) == drawn[: drawn.index(0) + 1]


def test_numpys_global_random_state_is_left_alone() -> None:
    np.random.seed(123)
    expected = np.random.rand()
    np.random.seed(123)
    model(RIVERS, 2, 3, report=lambda report: None)
    assert np.random.rand() == expected


def test_a_report_prints_as_the_notes_do() -> None:
    report = NamesReport(2000, 27.8841604, ("Rex", "Ovi"))
    assert str(report) == "Iteration: 2000, Loss: 27.884160\n\nRex\nOvi\n"


def test_bad_input_raises_with_what_was_found() -> None:
    with pytest.raises(DataError, match="the text holds no names: give one name a line"):
        model(" \n\n")
    with pytest.raises(ConfigError, match="report_every must be positive but is 0"):
        model(RIVERS, report_every=0)
    parameters = initialize_parameters(2, 3, 3)
    with pytest.raises(ShapeError, match="one length, 1 or more, but have 2 and 1"):
        optimize([None, 1], [1], np.zeros((2, 1)), parameters)
    with pytest.raises(DataError, match="labels must lie in 0 to 2 but go from 3 to 3"):
        optimize([None, 3], [1, 0], np.zeros((2, 1)), parameters)
