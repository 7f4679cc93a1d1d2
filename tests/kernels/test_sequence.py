"""The native loop over NumPy arrays: its equations, its checks, its bits.

Gradients are tried in tests/test_fused.py, where torch's autograd over the cells is the oracle.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from recurra import cells, kernels
from recurra.cells import Weights
from recurra.errors import ShapeError

pytestmark = pytest.mark.skipif(
    kernels.why_missing() is not None, reason=f"no native kernels: {kernels.why_missing()}"
)

Floats = NDArray[np.float32]


class Case:
    """Random weights, x_gates and state of a cell, as float32."""

    def __init__(self, name: str, steps: int, batch: int, hidden: int, seed: int = 0) -> None:
        self.name, self.sizes = name, (steps, batch, hidden)
        self.kind, self.cell = kernels.kind(name), cells.load(name)
        rng = np.random.default_rng(seed)

        def draw(*shape: int, scale: float = 1.0) -> Floats:
            return (scale * rng.normal(size=shape)).astype(np.float32)

        shapes = {key: value.shape for key, value in self.cell.parameters(1, hidden).items()}
        self.weights = {
            key: draw(*shape, scale=hidden**-0.5)
            for key, shape in shapes.items()
            if key not in ("weight_ih", "bias")
        }
        self.x_gates = draw(steps, batch, self.kind.gates * hidden)
        self.state = tuple(draw(batch, hidden, scale=0.5) for _ in range(self.kind.fields))

    def run(self, **options: Any) -> tuple[Floats, list[Floats]]:
        outputs = np.full(self.sizes, np.nan, np.float32)
        final = [np.full_like(one, np.nan) for one in self.state]
        kernels.forward(
            self.name, self.x_gates, self.weights, self.state, outputs, final, **options
        )
        return outputs, final

    def expected(self, lengths: NDArray[np.int64], reverse: bool) -> tuple[Any, Any]:
        """The cell's own step in float64, one sequence at a time."""
        weights = Weights({key: value.astype(np.float64) for key, value in self.weights.items()})
        outputs = np.zeros(self.sizes)
        final = [one.astype(np.float64) for one in self.state]
        for b, length in enumerate(lengths):
            state = self.cell.State(*(one[b : b + 1] for one in final))
            order = range(length)
            for t in reversed(order) if reverse else order:
                x_gates = self.x_gates[t, b : b + 1].astype(np.float64)
                outputs[t, b], state = self.cell.step(x_gates, state, weights)
            for one, value in zip(final, state, strict=True):
                one[b] = value
        return outputs, final


@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
@pytest.mark.parametrize("sizes", [(1, 1, 1), (7, 3, 5), (12, 9, 17), (9, 8, 130)])
@pytest.mark.parametrize("name", kernels.names())
def test_the_native_loop_is_the_loop_of_steps(
    name: str, sizes: tuple[int, int, int], reverse: bool
) -> None:
    case = Case(name, *sizes)
    lengths = np.random.default_rng(1).integers(0, sizes[0] + 1, sizes[1])
    for given in (None, lengths):
        for threads in (1, 2, 3):
            outputs, final = case.run(lengths=given, reverse=reverse, threads=threads)
            real = np.full(sizes[1], sizes[0]) if given is None else given
            expected, ends = case.expected(real, reverse)
            # float32 rounds each of some ten operations a step by 6e-8 of values around one, and
            # the recurrence carries it on
            np.testing.assert_allclose(outputs, expected, atol=3e-6, rtol=3e-6)
            for one, end in zip(final, ends, strict=True):
                np.testing.assert_allclose(one, end, atol=3e-6, rtol=3e-6)


@pytest.mark.parametrize("name", kernels.names())
def test_a_sequences_bits_depend_on_nothing_but_itself(name: str) -> None:
    """Not on threads, on the batch around it, on its padding, nor on where arrays lie."""
    steps, batch, hidden = 20, 13, 40
    case = Case(name, steps, batch, hidden)
    outputs, final = case.run()
    for threads in (2, 3, 16):
        again, ends = case.run(threads=threads)
        assert np.array_equal(outputs, again)
        assert all(np.array_equal(a, b) for a, b in zip(final, ends, strict=True))
    kept = np.empty_like(case.x_gates)
    extra = np.empty_like(outputs)
    assert np.array_equal(outputs, case.run(gates=kept, extra=extra)[0])
    for offset in (1, 3, 7):
        room = np.empty(case.x_gates.size + offset, np.float32)
        moved = room[offset:].reshape(case.x_gates.shape)
        moved[...] = case.x_gates
        case.x_gates = moved
        assert np.array_equal(outputs, case.run()[0])
    alone = Case(name, steps, batch, hidden)
    alone.x_gates = np.ascontiguousarray(case.x_gates[:11, 4:5])
    alone.state = tuple(np.ascontiguousarray(one[4:5]) for one in case.state)
    alone.sizes = (11, 1, hidden)
    assert np.array_equal(outputs[:11, 4:5], alone.run()[0])


@pytest.mark.parametrize("name", kernels.names())
def test_rows_of_a_table_are_the_same_as_x_gates(name: str) -> None:
    case = Case(name, 6, 4, 9)
    ids = np.random.default_rng(3).integers(0, 24, (6, 4))
    table = np.ascontiguousarray(case.x_gates.reshape(24, -1))
    case.x_gates = table[ids]
    expected, _ = case.run()
    case.x_gates = table
    assert np.array_equal(case.run(ids=ids)[0], expected)


def test_an_id_out_of_range_is_an_error_that_names_it() -> None:
    case = Case("lstm", 2, 2, 3)
    case.x_gates = case.x_gates.reshape(4, -1)
    for wrong in (-1, 4):
        with pytest.raises(IndexError, match=rf"id {wrong} is out of range: the table has 4 rows"):
            case.run(ids=np.full((2, 2), wrong))


def test_several_python_threads_at_once_get_what_each_gets_alone() -> None:
    each = [Case("gru", 30, 8, 64, seed) for seed in range(6)]
    expected = [case.run()[0] for case in each]
    with ThreadPoolExecutor(6) as pool:
        for _ in range(5):
            for found, wanted in zip(
                pool.map(lambda case: case.run(threads=2)[0], each), expected, strict=True
            ):
                assert np.array_equal(found, wanted)


def test_denormals_in_the_state_count_as_zero_and_the_callers_setting_stays() -> None:
    case = Case("relu_rnn", 1, 1, 4)
    case.x_gates[:] = 1e-39
    case.state = (np.zeros((1, 4), np.float32),)
    assert not case.run()[0].any()
    assert np.float32(1e-38) * np.float32(0.1) != 0  # flushed to zero if our setting had leaked


def test_nan_goes_through_a_sequence_and_no_further() -> None:
    for name in kernels.names():
        case = Case(name, 4, 2, 5)
        case.x_gates[1, 0] = np.nan
        outputs, _ = case.run()
        assert np.isnan(outputs[1:, 0]).all()
        assert not np.isnan(outputs[:, 1]).any()


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"x_gates": np.zeros((2, 3, 16), np.float64)}, "x_gates must be a C-contiguous float32"),
        ({"x_gates": np.zeros((2, 3, 15), np.float32)}, r"x_gates must have shape \(2, 3, 16\)"),
        (
            {"x_gates": np.zeros((2, 3, 32), np.float32)[..., ::2]},
            "but is float32 on cpu, not C-contiguous",
        ),
        ({"weights": {"weight_hh": np.zeros((4, 4), np.float32)}}, r"weight_hh .* \(16, 4\)"),
        ({"state": (np.zeros((3, 4), np.float32),)}, "initial must have 2 fields but has 1"),
    ],
)
def test_arrays_that_do_not_fit_are_errors(change: dict[str, Any], wanted: str) -> None:
    case = Case("lstm", 2, 3, 4)
    for name, value in change.items():
        setattr(case, name, value)
    with pytest.raises(ShapeError, match=wanted):
        case.run()


@pytest.mark.parametrize("lengths", [[0, -1], [3, 1]])
def test_lengths_that_cannot_be_are_errors(lengths: list[int]) -> None:
    with pytest.raises(ShapeError, match="lengths must be 0 to T=2 but reach from"):
        Case("rnn", 2, 2, 3).run(lengths=np.array(lengths))
