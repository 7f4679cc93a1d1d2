"""The laws every cell obeys, each written once: for Recurra's own cells and for a cell of yours.

A law is a function of a cell and the sizes to try; its name is what it claims. What a cell computes
is not here: that is its own test, with its equations written down a second time. Needs torch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recurra.cells import Cell, Weights
from recurra.errors import ShapeError
from recurra.layers.stack import Stack
from recurra.rng import generator

__all__ = ["LAWS", "SIZES", "Sizes", "assert_cell_laws"]

Floats = NDArray[np.float64]

# Float64 sums of at most a few hundred terms of size one, in another order: some 1e-14. States of
# cells that nothing bounds grow over the steps, hence the relative part.
TOLERANCE = 1e-12


class Sizes(NamedTuple):
    """T, B, I and H of the arrays a law is tried on."""

    seq_len: int
    batch: int
    input_size: int
    hidden_size: int


# all ones; all odd and different; long, and off the width of vector instructions
SIZES = (Sizes(1, 1, 1, 1), Sizes(7, 3, 5, 4), Sizes(33, 2, 8, 17))


def assert_cell_laws(cell: Cell[Any]) -> None:
    """Nothing, if `cell` obeys every law at every size; takes some seconds.

    Raises AssertionError that names the first law broken, the sizes, and what was found.
    """
    for sizes in SIZES:
        for law in LAWS:
            try:
                law(cell, sizes)
            except Exception as error:
                raise AssertionError(
                    f"{type(cell).__name__} breaks the law {law.__name__!r} at {sizes}: "
                    f"{type(error).__name__}: {error}"
                ) from error


def shapes_are_those_of_the_contract(cell: Cell[Any], sizes: Sizes) -> None:
    """weight_ih is (G·H, I), weights start in their shapes, output and state fields are (B, H)."""
    _, batch, input_size, hidden_size = sizes
    parameters = cell.parameters(input_size, hidden_size)
    wanted = (len(cell.gates) * hidden_size, input_size)
    assert parameters["weight_ih"].shape == wanted, f"weight_ih {parameters['weight_ih'].shape}"
    assert "weight_hh" in parameters, f"no weight_hh among {list(parameters)}"
    for name, (shape, initial) in parameters.items():
        found = initial(generator(0, name), shape).shape
        assert found == shape, f"{name} starts as {found}, must be {shape}"
    assert cell.State._fields[0] == "hidden", (
        f"the first field of the state is {cell.State._fields}"
    )
    case = _Case(cell, sizes)
    output, state = cell.step(cell.project(case.x[0], case.weights), case.state, case.weights)
    assert type(state) is cell.State, f"the state is a {type(state)}, must be {cell.State}"
    for value in (output, *state, *cell.initial_state(batch, hidden_size, case.x)):
        assert value.shape == (batch, hidden_size), f"{value.shape} must be (B, H)"


def the_same_seed_gives_the_same_weights(cell: Cell[Any], sizes: Sizes) -> None:
    """Two stacks from one seed are bit-identical, and another seed gives others."""
    one, same, other = (
        Stack(cell, sizes.input_size, sizes.hidden_size, rng=generator(seed, "init")).state_dict()
        for seed in (5, 5, 6)
    )
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one), "nothing is random"


def the_number_of_parameters_does_not_depend_on_the_steps(cell: Cell[Any], sizes: Sizes) -> None:
    """The same weights run over one step and over T + 1."""
    case = _Case(cell, sizes)
    before = {name: value.shape for name, value in case.stack.named_parameters()}
    for steps in (1, sizes.seq_len + 1):
        outputs, _ = case.stack(torch.ones(steps, sizes.batch, sizes.input_size).double())
        assert len(outputs) == steps
    assert {name: value.shape for name, value in case.stack.named_parameters()} == before


def a_step_leaves_its_arguments_as_they_were(cell: Cell[Any], sizes: Sizes) -> None:
    """`project` and `step` write into no array that they were given."""
    case, fresh = _Case(cell, sizes), _Case(cell, sizes)
    x_gates = cell.project(case.x[0], case.weights)
    kept = x_gates.copy()
    cell.step(x_gates, case.state, case.weights)
    _assert_close((x_gates, case.x, *case.state), (kept, fresh.x, *fresh.state), 0.0)
    _assert_close(tuple(case.weights.values()), tuple(fresh.weights.values()), 0.0)


def numpy_and_torch_agree(cell: Cell[Any], sizes: Sizes) -> None:
    """The loop of steps gives the same on NumPy and on torch, in float64."""
    case = _Case(cell, sizes)
    weights = Weights({name: torch.from_numpy(value) for name, value in case.weights.items()})
    state = cell.State(*(torch.from_numpy(value) for value in case.state))
    outputs, final = _loop(cell, torch.from_numpy(case.x), state, weights)
    expected, expected_final = _loop(cell, case.x, case.state, case.weights)
    _assert_close((torch.stack(outputs), *final), (np.stack(expected), *expected_final))


def an_unrolled_stack_equals_the_loop_of_steps(cell: Cell[Any], sizes: Sizes) -> None:
    """`project` of all steps at once, then the stack's loop = project and step, one by one."""
    case = _Case(cell, sizes)
    outputs, (final,) = case.run()
    expected, expected_final = _loop(cell, case.x, case.state, case.weights)
    _assert_close((outputs, *final), (np.stack(expected), *expected_final))


def two_halves_equal_the_whole(cell: Cell[Any], sizes: Sizes) -> None:
    """The state that one call returns goes into the next, and nothing is lost."""
    case = _Case(cell, sizes)
    outputs, (final,) = case.run()
    whole = torch.cat([case.tensor_x, case.tensor_x])  # (2T, B, I), so that T = 1 has halves too
    both, (end,) = case.stack(whole, (case.tensor_state,))
    second, (last,) = case.stack(case.tensor_x, (final,))
    _assert_close((torch.cat([outputs, second]), *last), (both, *end))


def a_padded_batch_equals_each_sequence_alone(cell: Cell[Any], sizes: Sizes) -> None:
    """In both directions: outputs, final states and the gradient of every weight."""
    case = _Case(cell, sizes, bidirectional=True)
    steps, batch = sizes.seq_len, sizes.batch
    lengths = torch.from_numpy(case.rng.integers(1, steps + 1, batch))
    out_weights = torch.from_numpy(case.rng.normal(size=(steps, batch, 2 * sizes.hidden_size)))
    states = (case.tensor_state, case.tensor_state)
    outputs, finals = case.stack(case.tensor_x, states, lengths)
    gradients = torch.autograd.grad((outputs * out_weights).sum(), list(case.stack.parameters()))
    summed = [torch.zeros_like(gradient) for gradient in gradients]
    for b, length in enumerate(lengths.tolist()):
        alone = tuple(cell.State(*(value[b : b + 1] for value in one)) for one in states)
        expected, ends = case.stack(case.tensor_x[:length, b : b + 1], alone)
        _assert_close((outputs[:length, b],), (expected[:, 0],))
        assert not outputs[length:, b].any(), "an output past its sequence's length is not zero"
        for final, end in zip(finals, ends, strict=True):
            _assert_close([value[b] for value in final], [value[0] for value in end])
        loss = (expected[:, 0] * out_weights[:length, b]).sum()
        parts = torch.autograd.grad(loss, list(case.stack.parameters()))
        summed = [total + part for total, part in zip(summed, parts, strict=True)]
    _assert_close(gradients, summed)


def the_order_of_the_batch_does_not_matter(cell: Cell[Any], sizes: Sizes) -> None:
    """The same sequences in another order give the same outputs and states in that order."""
    case = _Case(cell, sizes)
    order = torch.arange(sizes.batch - 1, -1, -1)
    outputs, (final,) = case.run()
    state = cell.State(*(value[order] for value in case.tensor_state))
    turned, (end,) = case.stack(case.tensor_x[:, order], (state,))
    _assert_close((turned, *end), (outputs[:, order], *(value[order] for value in final)))


def one_hot_input_equals_rows_of_the_identity(cell: Cell[Any], sizes: Sizes) -> None:
    """`forward_ids` without and with an embedding = `forward` of the vectors themselves."""
    case = _Case(cell, sizes)
    symbols = sizes.input_size
    identity = torch.eye(symbols, dtype=torch.float64)
    for steps in (1, symbols):  # where symbols outnumber tokens, and where a table is built
        ids = torch.from_numpy(case.rng.integers(0, symbols, (steps, sizes.batch)))
        expected, (end,) = case.stack(identity[ids], (case.tensor_state,))
        for embedding in (None, identity):
            outputs, (final,) = case.stack.forward_ids(ids, embedding, (case.tensor_state,))
            _assert_close((outputs, *final), (expected, *end))


def gradients_equal_finite_differences(cell: Cell[Any], sizes: Sizes) -> None:
    """torch's gradcheck in float64 for x, every field of the state and every weight."""
    case = _Case(cell, sizes)
    fields = len(cell.State._fields)
    names = [name for name, _ in case.stack.named_parameters()]

    def run(x: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        given = dict(zip(names, rest[fields:], strict=True))
        state = (cell.State(*rest[:fields]),)
        outputs, (final,) = torch.func.functional_call(case.stack, given, (x, state))
        return (outputs, *final)

    values = [case.tensor_x, *case.tensor_state, *case.stack.parameters()]
    inputs = tuple(value.detach().clone().requires_grad_() for value in values)
    # fast mode tries one random direction instead of every element: for the large size alone
    torch.autograd.gradcheck(run, inputs, fast_mode=sizes.hidden_size > 8)


def a_wrong_shape_is_an_error_that_shows_both_shapes(cell: Cell[Any], sizes: Sizes) -> None:
    """Of the input, and of the state."""
    case = _Case(cell, sizes)
    steps, batch, input_size, hidden_size = sizes
    wide = torch.zeros(steps, batch, input_size + 1).double()
    _assert_shape_error(case, wide, None, f"(T, B, {input_size})", f"{tuple(wide.shape)}")
    state = cell.initial_state(batch + 1, hidden_size, case.tensor_x)
    found = f"({batch + 1}, {hidden_size})"
    _assert_shape_error(case, case.tensor_x, (state,), f"({batch}, {hidden_size})", found)


LAWS: tuple[Callable[[Cell[Any], Sizes], None], ...] = (
    shapes_are_those_of_the_contract,
    the_same_seed_gives_the_same_weights,
    the_number_of_parameters_does_not_depend_on_the_steps,
    a_step_leaves_its_arguments_as_they_were,
    numpy_and_torch_agree,
    an_unrolled_stack_equals_the_loop_of_steps,
    two_halves_equal_the_whole,
    a_padded_batch_equals_each_sequence_alone,
    the_order_of_the_batch_does_not_matter,
    one_hot_input_equals_rows_of_the_identity,
    gradients_equal_finite_differences,
    a_wrong_shape_is_an_error_that_shows_both_shapes,
)


class _Case:
    """A one-layer float64 stack, an input and a state; every time the same.

    Every weight is its start plus noise, so that no bias is zero and no gain one.
    """

    def __init__(self, cell: Cell[Any], sizes: Sizes, *, bidirectional: bool = False) -> None:
        steps, batch, input_size, hidden_size = sizes
        self.rng = generator(0, "laws")
        self.stack = Stack(
            cell, input_size, hidden_size, bidirectional=bidirectional, rng=self.rng
        ).double()
        with torch.no_grad():
            for value in self.stack.parameters():
                # a matrix's noise stretches by some 0.1 whatever its size: no state explodes
                scale = 0.1 * value.shape[-1] ** -0.5 if value.ndim > 1 else 0.1
                value.add_(torch.from_numpy(scale * self.rng.normal(size=tuple(value.shape))))
        self.x: Floats = self.rng.normal(size=(steps, batch, input_size))
        shape = (batch, hidden_size)
        self.state = cell.State(*(0.5 * self.rng.normal(size=shape) for _ in cell.State._fields))
        first = self.stack.layers(0)[0]
        self.weights = Weights(
            {name: value.detach().numpy() for name, value in first.weights.items()}
        )
        self.tensor_x = torch.from_numpy(self.x)
        self.tensor_state = cell.State(*(torch.from_numpy(value) for value in self.state))

    def run(self) -> tuple[Tensor, tuple[Any, ...]]:
        """The stack on the case's input and state."""
        outputs, final = self.stack(self.tensor_x, (self.tensor_state,))
        return outputs, final


def _loop(cell: Cell[Any], x: Any, state: Any, weights: Weights) -> tuple[list[Any], Any]:
    outputs = []
    for x_t in x:
        output, state = cell.step(cell.project(x_t, weights), state, weights)
        outputs.append(output)
    return outputs, state


def _assert_close(found: Any, expected: Any, tolerance: float = TOLERANCE) -> None:
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(_numpy(one), _numpy(other), rtol=tolerance, atol=tolerance)


def _numpy(value: Any) -> Floats:
    array: Floats = value.detach().numpy() if isinstance(value, Tensor) else value
    return array


def _assert_shape_error(case: _Case, x: Tensor, state: Any, *shapes: str) -> None:
    message = "no ShapeError"
    try:
        case.stack(x, state)
    except ShapeError as error:
        message = str(error)
    assert all(shape in message for shape in shapes), f"{message!r} must show {shapes}"
