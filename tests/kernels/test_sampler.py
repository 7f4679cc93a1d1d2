"""The packed network: its equations in float64, its filters and draws by `decoding` and `rng`.

The network of a whole run folder, text and 10,000 symbols are in tests/runtime/test_native_text.py.
"""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from recurra import cells, kernels
from recurra.cells import Weights
from recurra.decoding.filters import Filters, normalised, without
from recurra.errors import ConfigError, ShapeError
from recurra.rng import draw

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


def of_logits(logits: Floats) -> kernels.Sampler:
    """A Sampler whose logits are these, whatever was fed."""
    symbols = len(logits)
    zeros = {"weight_hh": np.zeros((1, 1), np.float32)}
    table, projection = np.zeros((symbols, 1), np.float32), np.zeros((symbols, 1), np.float32)
    return kernels.Sampler("rnn", [zeros], projection, logits, table=table)


def ids_of(logits: Floats, uniforms: F64, never: tuple[int, ...] = (), **filters: Any) -> Any:
    state = ((np.zeros((1, 1), np.float32),),)
    drawn = of_logits(logits).draw(
        np.zeros(1, np.int64), state, uniforms[:, None], never=never, **filters
    )
    wanted = normalised(logits.astype(np.float64))
    np.testing.assert_allclose(drawn.nats[:, 0], -wanted[drawn.ids[:, 0]], rtol=1e-12, atol=1e-14)
    return drawn.ids[:, 0]


FILTERS: list[dict[str, Any]] = [
    {},
    {"temperature": 0.0},
    {"temperature": 0.3},
    {"temperature": 2.5},
    {"temperature": 1e-3},
    {"top_k": 1},
    {"top_k": 5},
    {"top_k": 10_000},
    {"top_p": 0.9},
    {"top_p": 0.01},
    {"top_p": 1.0},
    {"temperature": 0.7, "top_k": 7, "top_p": 0.8},
]


@pytest.mark.parametrize("asked", FILTERS, ids=str)
@pytest.mark.parametrize("symbols", [1, 2, 15, 16, 17, 65, 1000])
def test_a_draw_is_the_one_rule_over_the_filtered_probabilities(
    symbols: int, asked: dict[str, Any]
) -> None:
    rng = np.random.default_rng(symbols)
    uniforms = rng.random(200)
    for scale in (0.0, 1.0, 40.0):  # all equal; usual; nearly sure
        logits = (scale * rng.normal(size=symbols)).astype(np.float32)
        logits[symbols // 2 :] = logits[: symbols - symbols // 2]  # ties
        for never in ((), (0,), (symbols - 1, symbols // 2)):
            if len(set(never)) >= symbols:
                continue
            log_probs = normalised(logits.astype(np.float64))
            allowed = without(log_probs, never) if never else log_probs
            probabilities = Filters(**asked).probabilities(allowed)
            expected = [draw(probabilities, uniform) for uniform in uniforms]
            assert ids_of(logits, uniforms, never, **asked).tolist() == expected


def test_the_ends_of_the_uniforms_draw_the_first_and_the_last_that_may_come() -> None:
    ends = np.array([0.0, 1 - 2.0**-53])
    logits = np.array([-1e4, 0, 1, 0, -1e4], np.float32)
    assert ids_of(logits, ends).tolist() == [1, 3]
    assert ids_of(logits, ends, never=(1, 3)).tolist() == [2, 2]
    assert ids_of(np.zeros(5, np.float32), ends, never=(0, 4)).tolist() == [1, 3]


def test_the_first_of_equals_is_the_likeliest() -> None:
    logits = np.array([1, 3, 3, 2, 3], np.float32)
    uniforms = np.array([0.999])
    assert ids_of(logits, uniforms, temperature=0.0).tolist() == [1]
    assert ids_of(logits, uniforms, top_k=2).tolist() == [2]
    assert ids_of(logits, uniforms, never=(1, 2), temperature=0.0).tolist() == [4]


def test_what_is_not_drawn_may_be_far_likelier_than_the_rest() -> None:
    logits = np.array([5000, 0, 1, 2], np.float32)
    drawn = ids_of(logits, np.array([0.05, 0.2, 0.9]), never=(0,))
    assert drawn.tolist() == [1, 2, 3]  # shares of e^0, e^1, e^2: up to 0.090, 0.335, 1


def test_nan_in_a_network_draws_some_symbol_and_reads_nothing_outside() -> None:
    for asked in FILTERS:
        logits = np.array([0, np.nan, 1, np.inf], np.float32)
        state = ((np.zeros((1, 1), np.float32),),)
        drawn = of_logits(logits).draw(np.zeros(1, np.int64), state, np.full((9, 1), 0.5), **asked)
        assert ((drawn.ids >= 0) & (drawn.ids < 4)).all()


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
def test_all_of_this_file_holds_at_the_other_sets(name: str) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-m", "not slow", __file__]
    environment = {**os.environ, "RECURRA_ISA": name}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
