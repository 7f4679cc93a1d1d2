"""The stack: names, states, lengths, and dropout between layers.

The laws of every cell (halves, padding, gradients) are tried in tests/cells/test_conformance.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from recurra.cells import Cell
from recurra.cells.gru_reset_before import GRUResetBeforeCell
from recurra.cells.lstm import LSTMCell, LSTMState
from recurra.errors import ConfigError, ShapeError
from recurra.layers.stack import Stack, detached
from tests.layers.stacks import IN, B, H, T, stack


def inputs(steps: int = T, batch: int = B) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(1).normal(size=(steps, batch, IN)))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_parameters_are_named_by_layer_direction_and_the_cells_own_names() -> None:
    named = stack(num_layers=2, bidirectional=True, learned_state=True).state_dict()
    of_one = ["weight_ih", "weight_hh", "bias", "initial_hidden", "initial_cell"]
    layers = ["l0", "l0_reverse", "l1", "l1_reverse"]
    assert list(named) == [f"{layer}.{name}" for layer in layers for name in of_one]
    assert named["l0.weight_ih"].shape == (4 * H, IN)
    assert named["l1.weight_ih"].shape == (4 * H, 2 * H)
    assert named["l1_reverse.initial_cell"].shape == (H,)


def test_weights_are_float32_draws_of_the_given_generator_in_the_order_of_their_names() -> None:
    made = Stack(LSTMCell(), IN, H, num_layers=2, rng=np.random.default_rng(5))
    rng = np.random.default_rng(5)
    for depth, size in enumerate((IN, H)):
        for name, (shape, rule) in LSTMCell().parameters(size, H).items():
            value = made.get_parameter(f"l{depth}.{name}")
            assert value.dtype == torch.float32
            expected = torch.from_numpy(rule(rng, shape)).float()
            assert torch.equal(value, expected)


def test_no_generator_means_that_of_seed_zero_and_torchs_own_is_not_touched() -> None:
    before = torch.get_rng_state()
    one, other = stack().state_dict(), stack().state_dict()
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert torch.equal(torch.get_rng_state(), before)


def test_layers_stand_on_each_other() -> None:
    deep = stack(num_layers=2)
    first, second = stack(), Stack(LSTMCell(), H, H).double()
    weights = deep.state_dict()
    first.load_state_dict({k: v for k, v in weights.items() if k.startswith("l0")})
    second.load_state_dict({f"l0{k[2:]}": v for k, v in weights.items() if k.startswith("l1")})
    outputs, finals = deep(inputs())
    between, (low,) = first(inputs())
    expected, (high,) = second(between)
    assert torch.equal(outputs, expected)
    assert torch.equal(finals[0].cell, low.cell)
    assert torch.equal(finals[1].cell, high.cell)


def test_the_reverse_direction_is_the_forward_one_on_reversed_steps() -> None:
    both, forward = stack(bidirectional=True), stack()
    weights = both.state_dict()
    forward.load_state_dict(
        {f"l0.{n}": weights[f"l0_reverse.{n}"] for n in ("weight_ih", "weight_hh", "bias")}
    )
    outputs, finals = both(inputs())
    expected, (final,) = forward(inputs().flip(0))
    torch.testing.assert_close(outputs[..., H:], expected.flip(0), rtol=0, atol=1e-13)  # rounding
    torch.testing.assert_close(finals[1].cell, final.cell, rtol=0, atol=1e-13)


def test_without_a_state_a_stack_starts_from_zeros() -> None:
    made = stack(num_layers=2)
    zeros = torch.zeros(B, H, dtype=torch.float64)
    given, _ = made(inputs(), (LSTMState(zeros, zeros),) * 2)
    assert torch.equal(made(inputs())[0], given)


def test_a_learned_state_is_where_every_sequence_starts_and_has_a_gradient() -> None:
    made = stack(learned_state=True)
    with torch.no_grad():
        made.get_parameter("l0.initial_cell").fill_(0.5)
    zeros = torch.zeros(B, H, dtype=torch.float64)
    outputs, _ = made(inputs())
    supplied, _ = made(inputs(), (LSTMState(zeros, zeros + 0.5),))
    assert torch.equal(outputs, supplied)
    outputs.sum().backward()
    gradient = made.get_parameter("l0.initial_hidden").grad
    assert gradient is not None
    assert gradient.all()


def test_plain_tuples_pass_for_a_state() -> None:
    made = stack()
    _, (final,) = made(inputs())
    assert torch.equal(made(inputs(), [tuple(final)])[0], made(inputs(), (final,))[0])


def test_a_detached_state_has_the_same_values_and_no_history() -> None:
    _, final = stack(num_layers=2)(inputs())
    cut = detached(final)
    assert all(torch.equal(one, other) for one, other in zip(cut[1], final[1], strict=True))
    assert isinstance(cut[0], LSTMState)
    assert final[0].hidden.requires_grad
    assert not cut[0].hidden.requires_grad


def test_a_sequence_of_length_zero_gives_zeros_and_keeps_its_state() -> None:
    made = stack(bidirectional=True)
    states = [LSTMState(torch.randn(B, H).double(), torch.randn(B, H).double()) for _ in range(2)]
    outputs, finals = made(inputs(), states, torch.tensor([T, 0, 2]))
    assert not outputs[:, 1].any()
    for before, after in zip(states, finals, strict=True):
        assert torch.equal(before.hidden[1], after.hidden[1])
        assert torch.equal(before.cell[1], after.cell[1])


def test_what_stands_in_the_padding_changes_nothing_not_even_nan() -> None:
    made, lengths = stack(num_layers=2, bidirectional=True), torch.tensor([T, 1, 2])
    x, spoiled = inputs(), inputs()
    for b, length in enumerate(lengths.tolist()):
        spoiled[length:, b] = torch.nan
    clean, clean_finals = made(x, lengths=lengths)
    outputs, finals = made(spoiled, lengths=lengths)
    assert torch.equal(outputs, clean)
    assert all(torch.equal(a.cell, b.cell) for a, b in zip(finals, clean_finals, strict=True))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("units", [6, 192])
def test_what_stands_in_the_padding_reaches_no_gradient_not_even_nan(
    dtype: torch.dtype, units: int
) -> None:
    made = Stack(LSTMCell(), IN, units, bidirectional=True).to(dtype)
    lengths = torch.tensor([T, 1, 2])
    found = []
    for value in (0.0, torch.nan):
        x = inputs().to(dtype)
        for b, length in enumerate(lengths.tolist()):
            x[length:, b] = value
        x.requires_grad_()
        loss = made(x, lengths=lengths)[0].square().sum()
        found.append(torch.autograd.grad(loss, [x, *made.parameters()]))
    for clean, spoiled in zip(*found, strict=True):
        assert torch.equal(clean, spoiled)


def test_dropout_stands_between_layers_and_nowhere_else() -> None:
    one, two = stack(dropout=0.5), stack(num_layers=2, dropout=0.5)
    assert torch.equal(one(inputs(), generator=seeded())[0], one.eval()(inputs())[0])
    outputs, finals = two(inputs(), generator=seeded())
    _, plain_finals = two.eval()(inputs())
    assert torch.equal(finals[0].cell, plain_finals[0].cell)  # the first layer knows nothing of it
    assert not torch.equal(finals[1].cell, plain_finals[1].cell)
    assert torch.equal(outputs[-1], finals[1].hidden)  # the last output is the state, undropped


def test_dropout_comes_from_the_generator_alone() -> None:
    made = stack(num_layers=2, dropout=0.5)
    first, same, other = (made(inputs(), generator=seeded(s))[0] for s in (1, 1, 2))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    with pytest.raises(ConfigError, match=r"needs a torch\.Generator while training"):
        made(inputs())


def test_locked_dropout_gives_the_second_layer_the_same_units_at_every_step() -> None:
    made = stack(num_layers=2, dropout=0.5, locked_dropout=True)
    seen: list[torch.Tensor] = []
    made.dropout.register_forward_hook(lambda _, __, dropped: seen.append(dropped))
    made(inputs(), generator=seeded())
    zero = seen[0] == 0
    assert zero.any()
    assert torch.equal(zero, zero[:1].expand_as(zero))


@pytest.mark.parametrize("field", ["input_size", "hidden_size", "num_layers"])
def test_a_size_below_one_is_an_error(field: str) -> None:
    sizes: dict[str, Any] = {"input_size": IN, "hidden_size": H, "num_layers": 1, field: 0}
    with pytest.raises(ConfigError, match=f"{field} = 0: must be 1 or more"):
        Stack(LSTMCell(), **sizes)


def test_an_input_of_another_shape_is_an_error_that_thinks_of_batch_first() -> None:
    wanted = r"x must have shape \(T, B, 4\) but has \(5, 3, 7\)\. Batch-first data\?"
    with pytest.raises(ShapeError, match=wanted):
        stack()(torch.zeros(5, 3, 7))
    with pytest.raises(ShapeError, match=r"at least one step but has shape \(0, 3"):
        stack()(inputs()[:0])


@pytest.mark.parametrize(
    ("lengths", "wanted"),
    [
        ([1, 2], r"lengths must have shape \(3,\) but has \(2,\)"),
        ([1, 2, 6], "lengths must be 0 to T=5 but reach from 1 to 6"),
        ([-1, 2, 5], "lengths must be 0 to T=5 but reach from -1 to 5"),
    ],
)
def test_lengths_that_cannot_be_are_errors(lengths: list[int], wanted: str) -> None:
    with pytest.raises(ShapeError, match=wanted):
        stack()(inputs(), lengths=torch.tensor(lengths))


def test_a_state_of_another_stack_is_an_error() -> None:
    _, state = stack(num_layers=2)(inputs())
    wanted = r"state must be 1 times \(hidden, cell\), one a layer and direction, but is 2 tuples"
    with pytest.raises(ShapeError, match=wanted):
        stack()(inputs(), state)
    _, state = stack()(inputs(batch=2))
    with pytest.raises(
        ShapeError, match=r"state\[0\]\.hidden must have shape \(3, 6\) but has \(2, 6"
    ):
        stack()(inputs(), state)


@pytest.mark.parametrize(
    ("cell", "weight"), [(LSTMCell(), "weight_hh"), (GRUResetBeforeCell(), "weight_hn")]
)
def test_a_weight_made_none_is_an_error(cell: Cell[Any], weight: str) -> None:
    network = Stack(cell, IN, H)
    setattr(network.l0, weight, None)
    with pytest.raises(AttributeError, match="NoneType"):
        network(inputs().float())
