"""The packed network: its equations in float64, several sequences at once, what does not fit.

The network of a whole run folder, text and 10,000 symbols are in tests/runtime/test_native_text.py.
"""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from recurra import cells, kernels
from recurra.cells import Weights
from recurra.decoding.filters import normalised
from recurra.errors import ConfigError, ShapeError

SETS = () if kernels.why_missing() else kernels.instruction_sets().available
pytestmark = pytest.mark.skipif(
    kernels.why_missing() is not None, reason=f"no native kernels: {kernels.why_missing()}"
)

Floats = NDArray[np.float32]
F64 = NDArray[np.float64]


class Network:
    """Random float32 weights of a network, its Sampler, and its equations in float64."""

    def __init__(
        self, cell: str, hidden: int, layers: int = 2, symbols: int = 11, width: int = 6
    ) -> None:
        self.cell, self.name = cells.load(cell), cell
        self.hidden, self.symbols = hidden, symbols
        rng = np.random.default_rng(hidden)

        def drawn(*shape: int) -> Floats:
            scale = 1.5 * shape[-1] ** -0.5
            return rng.uniform(-scale, scale, shape).astype(np.float32)

        self.embedding = drawn(symbols, width)
        self.layers = [
            {
                name: drawn(*parameter.shape)
                for name, parameter in self.cell.parameters(
                    hidden if depth else width, hidden
                ).items()
            }
            for depth in range(layers)
        ]
        self.projection, self.bias = 3 * drawn(symbols, hidden), drawn(symbols)

    def sampler(self, table: bool = True, int8: bool = False) -> kernels.Sampler:
        first = self.layers[0]
        gates = self.embedding @ first["weight_ih"].T + first["bias"]
        return kernels.Sampler(
            self.name,
            self.layers,
            self.projection,
            self.bias,
            table=gates if table else None,
            embedding=None if table else self.embedding,
            int8=int8,
        )

    def state(self, batch: int) -> Any:
        rng = np.random.default_rng(1)
        fields = len(self.cell.State._fields)
        shape = (len(self.layers), fields, batch, self.hidden)
        state = rng.uniform(-0.5, 0.5, shape).astype(np.float32)
        return tuple(self.cell.State(*layer) for layer in state)

    def expected(self, ids: NDArray[np.int64], state: Any) -> tuple[F64, Any]:
        """(log-probabilities (T, B, V) after each of ids (T, B), state after) in float64."""
        layers = [
            Weights({name: value.astype(np.float64) for name, value in one.items()})
            for one in self.layers
        ]
        now = [self.cell.State(*(field.astype(np.float64) for field in one)) for one in state]
        log_probs = []
        for row in ids:
            x = self.embedding[row].astype(np.float64)
            for depth, weights in enumerate(layers):
                x, now[depth] = self.cell.step(self.cell.project(x, weights), now[depth], weights)
            log_probs.append(normalised(x @ self.projection.T.astype(np.float64) + self.bias))
        return np.array(log_probs), now


def rounded(matrix: Floats) -> Floats:
    """Each row at whole multiples of its largest magnitude ÷ 127."""
    scale = np.abs(matrix).max(axis=1, keepdims=True).astype(np.float64) / 127
    result: Floats = (np.round(matrix / scale) * scale).astype(np.float32)
    return result


# float32 rounds by 6e-8; a sum of 130 products of up to 3 · 1.5 · 0.13 stays within 3e-6 of its
# float64 value, and ten steps of these networks do not amplify it above that.
FLOAT32 = 5e-6
# With AVX-512 VNNI int8 weights are multiplied with 16-bit numbers: 1.5e-5 of the largest each.
INT8 = 1.5e-4


@pytest.mark.parametrize("table", [True, False], ids=["table", "embedding"])
@pytest.mark.parametrize(("hidden", "layers"), [(1, 1), (7, 3), (33, 2), (130, 1)])
@pytest.mark.parametrize("name", kernels.names())
def test_nats_and_state_are_the_equations(name: str, hidden: int, layers: int, table: bool) -> None:
    network = Network(name, hidden, layers)
    for batch in (1, 2, 13):  # one row, a few, more than are multiplied at once
        ids = np.random.default_rng(2).integers(0, 11, (11, batch))
        state = network.state(batch)
        nats, after = network.sampler(table).nats(ids, state)
        log_probs, ends = network.expected(ids[:-1], state)
        wanted = -np.take_along_axis(log_probs, ids[1:, :, None], axis=-1)[..., 0]
        np.testing.assert_allclose(nats, wanted, atol=FLOAT32)
        np.testing.assert_allclose(after, ends, atol=FLOAT32)


@pytest.mark.parametrize("name", kernels.names())
def test_int8_is_the_network_of_rounded_weights(name: str) -> None:
    network = Network(name, 33, layers=2)
    sampler = network.sampler(int8=True)
    for depth, weights in enumerate(network.layers):
        for key, value in weights.items():
            if value.ndim == 2 and (depth or key != "weight_ih"):  # the first one's is in the table
                weights[key] = rounded(value)
    network.projection = rounded(network.projection)
    ids = np.random.default_rng(2).integers(0, 11, (11, 3))
    log_probs, ends = network.expected(ids[:-1], network.state(3))
    wanted = -np.take_along_axis(log_probs, ids[1:, :, None], axis=-1)[..., 0]
    ways = [(INT8, sampler), (FLOAT32, network.sampler()), (INT8, network.sampler(int8=True))]
    for bound, one in ways:
        nats, after = one.nats(ids, network.state(3))
        np.testing.assert_allclose(nats, wanted, atol=bound)
        np.testing.assert_allclose(after, ends, atol=bound)


def test_a_row_of_zeros_stays_zero_as_int8() -> None:
    network = Network("rnn", 5, layers=1)
    network.projection[3] = 0
    (nats,), _ = network.sampler(int8=True).nats(np.array([[0], [3]]), network.state(1))
    assert np.isfinite(nats).all()


@pytest.mark.parametrize("int8", [False, True], ids=["float32", "int8"])
@pytest.mark.parametrize("name", kernels.names())
def test_each_of_several_sequences_is_drawn_as_it_is_alone(name: str, int8: bool) -> None:
    network = Network(name, 37, symbols=29)
    sampler = network.sampler(int8=int8)
    uniforms = np.random.default_rng(3).random((20, 13))
    ids = np.arange(13)
    together = sampler.draw(ids, network.state(13), uniforms, temperature=0.9, top_p=0.95)
    for row in range(13):
        state = [[field[row : row + 1] for field in layer] for layer in network.state(13)]
        own = np.ascontiguousarray(uniforms[:, row : row + 1])
        alone = sampler.draw(ids[row : row + 1], state, own, temperature=0.9, top_p=0.95)
        assert np.array_equal(alone.ids[:, 0], together.ids[:, row])
        assert np.array_equal(alone.nats[:, 0], together.nats[:, row])
        for one, other in zip(alone.state, together.state, strict=True):
            assert all(np.array_equal(a[0], b[row]) for a, b in zip(one, other, strict=True))


def test_fewer_uniforms_give_the_beginning_and_the_state_that_belongs_to_it() -> None:
    network = Network("lstm", 20)
    sampler, state = network.sampler(), network.state(1)
    uniforms = np.random.default_rng(0).random((30, 1))
    whole = sampler.draw(np.array([1]), state, uniforms)
    first = sampler.draw(np.array([1]), state, uniforms[:11])
    rest = sampler.draw(first.ids[-1], first.state, uniforms[11:])
    assert np.array_equal(np.concatenate([first.ids, rest.ids]), whole.ids)
    for one, other in zip(rest.state, whole.state, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    assert all(
        np.array_equal(a, b)
        for one, two in zip(state, network.state(1), strict=True)
        for a, b in zip(one, two, strict=True)
    )  # what was given is as it was


def test_several_python_threads_may_use_one_sampler() -> None:
    network = Network("gru", 64, symbols=40)
    sampler = network.sampler()
    uniforms = np.random.default_rng(0).random((8, 200, 1))

    def ids(one: F64) -> Any:
        return sampler.draw(np.array([0]), network.state(1), one).ids.tolist()

    expected = [ids(one) for one in uniforms]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ids, uniforms)) == expected


def test_arrays_that_do_not_fit_are_errors() -> None:
    network = Network("lstm", 4)
    sampler, state, uniforms = network.sampler(), network.state(2), np.zeros((3, 2))
    with pytest.raises(ShapeError, match=r"ids must have shape \(2,\) but has \(1,\)"):
        sampler.draw(np.zeros(1, np.int64), state, uniforms)
    with pytest.raises(ShapeError, match=r"state\[0\]\[0\] must have shape \(2, 4\) but has \(3,"):
        sampler.draw(np.zeros(2, np.int64), network.state(3), uniforms)
    with pytest.raises(ShapeError, match=r"state must be 2 layers of 2 fields but has \[2\]"):
        sampler.draw(np.zeros(2, np.int64), state[:1], uniforms)
    with pytest.raises(ShapeError, match="uniforms must be a C-contiguous float64 array"):
        sampler.draw(np.zeros(2, np.int64), state, uniforms.astype(np.float32))
    network.layers[1]["weight_hh"] = np.zeros((4, 4), np.float32)
    with pytest.raises(ShapeError, match=r"layers\[1\] weight_hh must have shape \(16, 4\)"):
        network.sampler()
    with pytest.raises(ShapeError, match="a table or an embedding, and not both"):
        kernels.Sampler("lstm", network.layers, network.projection, network.bias)


@pytest.mark.parametrize("sizes", [(0, 4, 2), (11, 0, 2), (11, 4, 0)], ids=str)
def test_a_network_of_no_symbol_unit_or_layer_is_an_error(sizes: tuple[int, int, int]) -> None:
    symbols, hidden, layers = sizes
    projection, bias = np.zeros((symbols, hidden), np.float32), np.zeros(symbols, np.float32)
    table = np.zeros((symbols, hidden), np.float32)
    with pytest.raises(ShapeError, match="but there are {}, {} and {}".format(*sizes)):
        kernels.Sampler("rnn", [{}] * layers, projection, bias, table=table)


def test_ids_that_are_no_symbols_are_errors() -> None:
    network = Network("lstm", 4)
    sampler = network.sampler()
    for wrong in (-1, 11):
        with pytest.raises(IndexError, match=f"id {wrong} is out of range: there are 11 symbols"):
            sampler.draw(np.array([wrong]), network.state(1), np.zeros((1, 1)))
        with pytest.raises(IndexError, match=f"id {wrong} is out of range"):
            sampler.nats(np.array([[0], [wrong]]), network.state(1))
    with pytest.raises(IndexError, match=r"never: \[3, 11\] reach outside the 11 symbols"):
        sampler.draw(np.array([0]), network.state(1), np.zeros((1, 1)), never=(11, 3))


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"temperature": -1.0}, "temperature = -1.0: must be 0 or more"),
        ({"top_k": -3}, "top_k = -3: must be 1 or more"),
        ({"top_p": 0.0}, r"top_p = 0.0: must be in \(0, 1\]"),
    ],
)
def test_filters_that_cannot_be_are_errors(asked: dict[str, Any], message: str) -> None:
    network = Network("lstm", 4)
    with pytest.raises(ConfigError, match=message):
        network.sampler().draw(np.array([0]), network.state(1), np.zeros((1, 1)), **asked)


def test_a_cell_without_a_kernel_is_an_error_that_lists_those_with_one() -> None:
    zeros = np.zeros((1, 1), np.float32)
    with pytest.raises(ConfigError, match=r"unknown kernel 'mgu'\. Have: gru, "):
        kernels.Sampler("mgu", [{}], zeros, zeros[0], table=zeros)


@pytest.mark.slow
@pytest.mark.parametrize("name", SETS[1:])
def test_this_file_and_the_one_of_draws_hold_at_the_other_sets(name: str) -> None:
    files = [__file__, str(Path(__file__).with_name("test_draw.py"))]
    command = [sys.executable, "-m", "pytest", "-q", "-m", "not slow", *files]
    environment = {**os.environ, "RECURRA_ISA": name}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
