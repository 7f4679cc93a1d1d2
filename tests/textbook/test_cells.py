"""The notes' three cells: their equations, every gradient, the sequence and the doors."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from recurra import textbook
from recurra.errors import ConfigError, ShapeError

Array = NDArray[np.float64]
CELLS = ("rnn", "lstm", "gru")
SIZES = [(1, 1, 1, 1, 2), (3, 2, 5, 4, 6)]  # n_x, m, T_x, n_a, n_y


def parameters_of(cell: str, n_x: int, n_a: int, n_y: int) -> dict[str, Array]:
    rng = np.random.default_rng(5)
    if cell == "rnn":
        shapes = {"Wax": (n_a, n_x), "Waa": (n_a, n_a), "ba": (n_a, 1), "Wya": (n_y, n_a)}
    else:
        gates = {"lstm": "ifoc", "gru": "zra"}[cell]
        shapes = {f"W{gate}": (n_a, n_a + n_x) for gate in gates}
        shapes |= {f"b{gate}": (n_a, 1) for gate in gates}
        shapes["Wy"] = (n_y, n_a)
    shapes["by"] = (n_y, 1)
    return {name: rng.normal(0, 0.7, shape) for name, shape in shapes.items()}


def problem(cell: str, size: tuple[int, ...]) -> dict[str, Array]:
    """Everything a loss depends on: the parameters, x, and the initial states."""
    n_x, m, T_x, n_a, n_y = size
    rng = np.random.default_rng(6)
    states = ["a0", "c0"] if cell == "lstm" else ["a0"]
    values = {name: rng.normal(size=(n_a, m)) for name in states}
    return parameters_of(cell, n_x, n_a, n_y) | {"x": rng.normal(size=(n_x, m, T_x))} | values


def forward(cell: str, values: dict[str, Array]) -> tuple[Array, Array, Any]:
    """(a, y_pred, caches)."""
    states = [values[name] for name in ("a0", "c0") if name in values]
    result = getattr(textbook, f"{cell}_forward")(values["x"], *states, values)
    return result[0], result[1], result[-1]


def numeric_gradient(loss: Callable[[], float], value: Array) -> Array:
    """Central differences by every element of `value`, which `loss` reads."""
    gradient = np.zeros_like(value)
    for index in np.ndindex(value.shape):
        kept = value[index]
        value[index] = kept + 1e-5
        above = loss()
        value[index] = kept - 1e-5
        gradient[index] = (above - loss()) / 2e-5
        value[index] = kept
    return gradient


def assert_gradients_agree(analytic: Array, numeric: Array, what: str) -> None:
    # differences of step 1e-5 are good to some 1e-10: far below 1e-6, far above any wrong term
    error = np.linalg.norm(analytic - numeric)
    scale = np.linalg.norm(analytic) + np.linalg.norm(numeric)
    assert error < 1e-6 * scale, f"{what}: relative error {error / scale:.1e}"


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("cell", CELLS)
def test_every_gradient_through_time_is_the_numeric_one(cell: str, size: tuple[int, ...]) -> None:
    _, m, T_x, n_a, n_y = size
    values = problem(cell, size)
    rng = np.random.default_rng(7)
    pull = rng.normal(size=(n_a, m, T_x))  # a loss on the states themselves, beside the one on y
    labels = rng.integers(0, n_y, (m, T_x))

    def loss() -> float:
        a, y_pred, _ = forward(cell, values)
        rows, columns = np.indices(labels.shape)
        return float((pull * a).sum() - np.log(y_pred[labels, rows, columns]).sum())

    a, y_pred, caches = forward(cell, values)
    _, dz = textbook.cross_entropy(y_pred, labels)
    readout = "Wya" if cell == "rnn" else "Wy"
    da, dreadout, dby = textbook.output_backward(dz, a, values[readout])
    gradients = getattr(textbook, f"{cell}_backward")(da + pull, caches)
    gradients |= {f"d{readout}": dreadout, "dby": dby}
    assert set(gradients) == {f"d{name}" for name in values}
    for name, value in values.items():
        assert_gradients_agree(gradients[f"d{name}"], numeric_gradient(loss, value), name)


@pytest.mark.parametrize("cell", CELLS)
def test_every_gradient_of_one_step_is_the_numeric_one(cell: str) -> None:
    n_x, m, n_a = 3, 2, 4
    rng = np.random.default_rng(8)
    states = ["a_prev", "c_prev"] if cell == "lstm" else ["a_prev"]
    values = {"xt": rng.normal(size=(n_x, m))}
    values |= {name: rng.normal(size=(n_a, m)) for name in states}
    parameters = parameters_of(cell, n_x, n_a, 2)
    pulls = [rng.normal(size=(n_a, m)) for _ in states]  # by a_next, and c_next

    def step() -> Any:
        return getattr(textbook, f"{cell}_cell_forward")(*values.values(), parameters)

    def loss() -> float:
        return float(sum((pull * state).sum() for pull, state in zip(pulls, step(), strict=False)))

    gradients = getattr(textbook, f"{cell}_cell_backward")(*pulls, step()[-1])
    for name, value in (values | parameters).items():
        if name not in ("Wya", "Wy", "by"):  # they are not between the step's input and its state
            assert_gradients_agree(gradients[f"d{name}"], numeric_gradient(loss, value), name)


@pytest.mark.parametrize("cell", CELLS)
def test_a_sequence_is_its_steps_one_by_one(cell: str) -> None:
    values = problem(cell, (3, 2, 5, 4, 6))
    a, y_pred, _ = forward(cell, values)
    states = [values[name] for name in ("a0", "c0") if name in values]
    for t in range(5):
        step = getattr(textbook, f"{cell}_cell_forward")(values["x"][:, :, t], *states, values)
        states = list(step[: len(states)])
        np.testing.assert_array_equal(a[:, :, t], states[0])
        np.testing.assert_array_equal(y_pred[:, :, t], step[-2])


@pytest.mark.parametrize("cell", CELLS)
def test_two_halves_with_the_state_carried_equal_the_whole(cell: str) -> None:
    values = problem(cell, (3, 2, 6, 4, 5))
    whole, _, _ = forward(cell, values)
    first = values | {"x": values["x"][:, :, :2]}
    if cell == "lstm":
        a, _, c, _ = textbook.lstm_forward(first["x"], first["a0"], first["c0"], first)
        carried = {"a0": a[:, :, -1], "c0": c[:, :, -1]}
    else:
        a, _, _ = forward(cell, first)
        carried = {"a0": a[:, :, -1]}
    second, _, _ = forward(cell, values | carried | {"x": values["x"][:, :, 2:]})
    np.testing.assert_array_equal(np.concatenate([a, second], axis=2), whole)


@pytest.mark.parametrize("cell", CELLS)
def test_sequences_of_a_batch_do_not_touch_each_other(cell: str) -> None:
    values = problem(cell, (3, 4, 5, 2, 3))
    together, _, _ = forward(cell, values)
    for b in range(4):
        own = {name: values[name][:, b : b + 1] for name in ("x", "a0", "c0") if name in values}
        alone, _, _ = forward(cell, values | own)
        # matrix products of another width may add in another order
        np.testing.assert_allclose(together[:, b : b + 1], alone, rtol=0, atol=1e-14)


def load_into(layer: torch.nn.RNNBase, weights: tuple[Array, ...]) -> None:
    weight_ih, weight_hh, bias = (torch.from_numpy(weight.copy()) for weight in weights)
    layer.weight_ih_l0.data, layer.weight_hh_l0.data = weight_ih, weight_hh
    layer.bias_ih_l0.data, layer.bias_hh_l0.data = bias, torch.zeros_like(bias)


def test_the_vanilla_cell_is_torch_nn_rnn() -> None:
    values = problem("rnn", (3, 2, 5, 4, 6))
    a, _, _ = forward("rnn", values)
    layer = torch.nn.RNN(3, 4).double()
    load_into(layer, (values["Wax"], values["Waa"], values["ba"][:, 0]))
    x = torch.from_numpy(textbook.notes_to_time_major(values["x"]).copy())
    outputs, _ = layer(x, torch.from_numpy(values["a0"].T.copy())[None])
    # float64 and the same formulas: only rounding may differ
    expected = textbook.time_major_to_notes(outputs.detach().numpy())
    np.testing.assert_allclose(a, expected, rtol=0, atol=1e-13)


def test_the_lstm_is_torch_nn_lstm() -> None:
    values = problem("lstm", (3, 2, 5, 4, 6))
    a, _, c, _ = textbook.lstm_forward(values["x"], values["a0"], values["c0"], values)
    stacked = np.concatenate([values[f"W{gate}"] for gate in "ifco"])
    bias = np.concatenate([values[f"b{gate}"][:, 0] for gate in "ifco"])
    layer = torch.nn.LSTM(3, 4).double()
    load_into(layer, (stacked[:, 4:], stacked[:, :4], bias))
    x = torch.from_numpy(textbook.notes_to_time_major(values["x"]).copy())
    start = [torch.from_numpy(values[name].T.copy())[None] for name in ("a0", "c0")]
    outputs, (_, c_last) = layer(x, tuple(start))
    # float64 and the same formulas: only rounding may differ
    expected = textbook.time_major_to_notes(outputs.detach().numpy())
    np.testing.assert_allclose(a, expected, rtol=0, atol=1e-13)
    np.testing.assert_allclose(c[:, :, -1], c_last[0].detach().numpy().T, rtol=0, atol=1e-13)


def one_unit_gru(wz: float, wr: float, wa: float) -> dict[str, Array]:
    """A GRU of one unit and one input whose weights on (a, x) are (w, w) in each gate."""
    parameters = {
        f"W{gate}": np.full((1, 2), w) for gate, w in zip("zra", (wz, wr, wa), strict=True)
    }
    parameters |= {f"b{gate}": np.zeros((1, 1)) for gate in "zra"}
    return parameters | {"Wy": np.zeros((2, 1)), "by": np.zeros((2, 1))}


def test_the_gru_mixes_the_candidate_into_the_old_state() -> None:
    # by hand, one unit, a = 0.5, x = 0.25: the lost tilde would leave a' = a
    z, r = 1 / (1 + math.exp(-0.4 * 0.75)), 1 / (1 + math.exp(0.8 * 0.75))
    candidate = math.tanh(1.5 * (r * 0.5) + 1.5 * 0.25)  # the reset before the product
    expected = z * 0.5 + (1 - z) * candidate
    a_next, _, _ = textbook.gru_cell_forward(
        np.array([[0.25]]), np.array([[0.5]]), one_unit_gru(0.4, -0.8, 1.5)
    )
    assert abs(a_next[0, 0] - expected) < 1e-15
    assert abs(expected - 0.5) > 0.01


def test_a_gru_whose_z_is_one_keeps_its_state_for_100_steps() -> None:
    parameters = one_unit_gru(0.3, 0.3, 0.3) | {"bz": np.array([[50.0]])}  # σ(50) = 1 − 2e-22
    x = np.random.default_rng(0).normal(size=(1, 1, 100))
    a, _, _ = textbook.gru_forward(x, np.array([[0.7]]), parameters)
    assert (a == 0.7).all()


def test_the_reset_gate_hides_the_old_state_from_the_candidate() -> None:
    closed = one_unit_gru(0.0, 0.0, 1.0) | {"br": np.array([[-800.0]]), "bz": np.array([[-800.0]])}
    a_next, _, _ = textbook.gru_cell_forward(np.array([[0.3]]), np.array([[0.9]]), closed)
    assert abs(a_next[0, 0] - math.tanh(0.3)) < 1e-15


@pytest.mark.parametrize("cell", CELLS)
def test_a_forward_returns_one_cache_a_step(cell: str) -> None:
    _, _, caches = forward(cell, problem(cell, (3, 2, 5, 4, 6)))
    assert isinstance(caches, list)
    assert len(caches) == 5


@pytest.mark.parametrize("cell", CELLS)
def test_inputs_in_another_axis_order_raise_with_both_shapes(cell: str) -> None:
    values = problem(cell, (3, 2, 5, 4, 6))
    with pytest.raises(ShapeError, match=r"a0 must have shape \(4, 3\) but has \(4, 2\)\."):
        forward(cell, values | {"x": textbook.notes_to_time_major(values["x"]).swapaxes(1, 2)})
    with pytest.raises(ShapeError, match=r"x must have shape \(n_x, m, T_x\) but has \(3, 2\)\."):
        forward(cell, values | {"x": values["x"][:, :, 0]})


@pytest.mark.parametrize("cell", CELLS)
def test_parameters_that_do_not_fit_raise_by_name(cell: str) -> None:
    values = problem(cell, (3, 2, 5, 4, 6))
    states = [values.pop(name) for name in ("a0", "c0") if name in values]
    x = values.pop("x")[:, :, 0]
    step = getattr(textbook, f"{cell}_cell_forward")
    for name in list(values):
        wrong = values | {name: np.zeros((9, 9))}
        with pytest.raises(ShapeError, match=rf"parameter {name} must .* but has \(9, 9\)\."):
            step(x, *states, wrong)
        missing = {key: value for key, value in values.items() if key != name}
        with pytest.raises(ConfigError, match=f"parameter '{name}' is missing. Have: "):
            step(x, *states, missing)


@pytest.mark.parametrize("cell", CELLS)
def test_a_sequence_without_steps_raises(cell: str) -> None:
    values = problem(cell, (3, 2, 5, 4, 6))
    with pytest.raises(ShapeError, match=r"at least one step but has shape \(3, 2, 0\)"):
        forward(cell, values | {"x": values["x"][:, :, :0]})
    with pytest.raises(ShapeError, match="caches must hold one cache a step but is empty"):
        getattr(textbook, f"{cell}_backward")(np.zeros((4, 2, 0)), [])


@pytest.mark.parametrize("cell", CELLS)
def test_a_gradient_of_another_shape_raises(cell: str) -> None:
    _, _, caches = forward(cell, problem(cell, (3, 2, 5, 4, 6)))
    with pytest.raises(ShapeError, match=r"da must have shape \(4, 2, 5\) but has \(4, 2, 4\)"):
        getattr(textbook, f"{cell}_backward")(np.zeros((4, 2, 4)), caches)
