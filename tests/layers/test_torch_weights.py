"""A stack with the weights of torch.nn's RNN, LSTM or GRU computes what torch.nn computes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from recurra import cells
from recurra.errors import ConfigError, ShapeError
from recurra.layers.stack import Stack
from recurra.layers.torch_weights import load_torch_weights, torch_weights

T, B, IN, H = 6, 3, 4, 5
ORIGINALS: dict[str, Any] = {
    "rnn": nn.RNN,
    "relu_rnn": lambda *sizes, **more: nn.RNN(*sizes, nonlinearity="relu", **more),
    "irnn": lambda *sizes, **more: nn.RNN(*sizes, nonlinearity="relu", **more),
    "lstm": nn.LSTM,
    "gru": nn.GRU,
}


def pair(name: str, layers: int = 1, bidirectional: bool = False) -> tuple[Any, Stack]:
    """torch's module with random weights, and a stack that has loaded them; both float64."""
    torch_module = ORIGINALS[name](IN, H, num_layers=layers, bidirectional=bidirectional).double()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for value in torch_module.parameters():
            value.copy_(0.5 * torch.randn(value.shape, generator=generator, dtype=value.dtype))
    stack = Stack(cells.load(name), IN, H, num_layers=layers, bidirectional=bidirectional).double()
    load_torch_weights(stack, torch_module.state_dict())
    return torch_module, stack


def run_torch(module: Any, x: Tensor, state: list[Tensor], lengths: Tensor | None) -> list[Tensor]:
    """Outputs (T, B, D·H) and each field of the final state (D·layers, B, H)."""
    given = tuple(state) if len(state) > 1 else state[0]
    if lengths is None:
        outputs, final = module(x, given)
    else:
        packed, final = module(pack_padded_sequence(x, lengths, enforce_sorted=False), given)
        outputs, _ = pad_packed_sequence(packed, total_length=T)
    return [outputs, *(final if isinstance(final, tuple) else (final,))]


def run_ours(stack: Stack, x: Tensor, state: list[Tensor], lengths: Tensor | None) -> list[Tensor]:
    given = tuple(stack.cell.State(*fields) for fields in zip(*state, strict=True))
    outputs, final = stack(x, given, lengths)
    return [outputs, *(torch.stack(field) for field in zip(*final, strict=True))]


@pytest.mark.parametrize("lengths", [None, [6, 2, 4]], ids=["full", "packed"])
@pytest.mark.parametrize("bidirectional", [False, True], ids=["forward", "both"])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("name", ORIGINALS)
def test_outputs_final_states_and_every_gradient_are_those_of_torch(
    name: str, layers: int, bidirectional: bool, lengths: list[int] | None
) -> None:
    module, stack = pair(name, layers, bidirectional)
    generator = torch.Generator().manual_seed(2)
    rows = layers * (2 if bidirectional else 1)

    def random(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64, requires_grad=True)

    inputs = [random(T, B, IN), *(random(rows, B, H) for _ in stack.cell.State._fields)]
    given = None if lengths is None else torch.tensor(lengths)
    expected = run_torch(module, inputs[0], inputs[1:], given)
    found = run_ours(stack, inputs[0], inputs[1:], given)
    factors = [random(*value.shape).detach() for value in expected]
    # 1e-12: rounding of float64 sums of some ten terms over six steps, with room
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)

    def gradients(values: list[Tensor], parameters: Any) -> tuple[Tensor, ...]:
        loss = sum((v * factor).sum() for v, factor in zip(values, factors, strict=True))
        return torch.autograd.grad(loss, [*inputs, *parameters])  # type: ignore[arg-type]

    ours = gradients(found, stack.parameters())
    theirs = gradients(expected, module.parameters())
    for one, other in zip(ours[: len(inputs)], theirs[: len(inputs)], strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-11)  # sums over T·B more terms
    by_name = dict(zip(dict(module.named_parameters()), theirs[len(inputs) :], strict=True))
    for key, one in zip(dict(stack.named_parameters()), ours[len(inputs) :], strict=True):
        layer, _, parameter = key.partition(".")
        if parameter == "bias_hn":
            other = by_name[f"bias_hh_{layer}"][2 * H :]
        else:
            other = by_name[f"{parameter.replace('bias', 'bias_ih')}_{layer}"]
        torch.testing.assert_close(one, other, rtol=0, atol=1e-11)


@pytest.mark.parametrize("name", ORIGINALS)
def test_weights_given_back_make_torch_compute_the_same(name: str) -> None:
    module, stack = pair(name, layers=2, bidirectional=True)
    x = torch.ones(T, B, IN, dtype=torch.float64)
    expected, _ = module(x)
    given_back = torch_weights(stack)
    assert list(given_back) == list(module.state_dict())
    if name != "gru":  # whose n-bias stays inside the recurrence
        assert not any(value.any() for key, value in given_back.items() if "bias_hh" in key)
    module.load_state_dict(given_back)
    torch.testing.assert_close(module(x)[0], expected, rtol=0, atol=1e-12)  # (b, 0) for (b1, b2)


def test_a_stack_loads_what_it_gave_bit_for_bit() -> None:
    _, stack = pair("gru", layers=2)
    again = Stack(cells.load("gru"), IN, H, num_layers=2).double()
    load_torch_weights(again, torch_weights(stack))
    for one, other in zip(again.parameters(), stack.parameters(), strict=True):
        assert torch.equal(one, other)


def test_what_is_given_back_is_a_copy() -> None:
    _, stack = pair("lstm")
    before = stack.get_parameter("l0.bias").detach().clone()
    torch_weights(stack)["bias_ih_l0"].zero_()
    assert torch.equal(stack.get_parameter("l0.bias"), before)


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru"])
def test_a_module_without_biases_is_one_with_zeros(name: str) -> None:
    module = ORIGINALS[name](IN, H, bias=False)
    stack = Stack(cells.load(name), IN, H)
    load_torch_weights(stack, module.state_dict())
    x = torch.ones(T, B, IN)
    # float32 rounding over six steps
    torch.testing.assert_close(stack(x)[0], module(x)[0], rtol=0, atol=1e-6)


def test_a_cell_that_torch_has_not_is_an_error() -> None:
    stack = Stack(cells.load("mgu"), IN, H)
    for call in (lambda: torch_weights(stack), lambda: load_torch_weights(stack, {})):
        with pytest.raises(
            ConfigError, match=r"torch\.nn has no cell 'mgu': .* rnn, relu_rnn, irnn"
        ):
            call()


def test_weights_of_another_module_are_an_error_that_lists_the_difference() -> None:
    stack = Stack(cells.load("lstm"), IN, H)
    deeper = nn.LSTM(IN, H, num_layers=2).state_dict()
    with pytest.raises(
        ConfigError, match="missing nothing; unknown bias_hh_l1, bias_ih_l1, weight"
    ):
        load_torch_weights(stack, deeper)
    with pytest.raises(ConfigError, match="unknown weight_hr_l0"):
        load_torch_weights(stack, nn.LSTM(IN, H, proj_size=2).state_dict())


def test_weights_of_another_size_are_an_error_with_both_shapes_and_change_nothing() -> None:
    stack = Stack(cells.load("lstm"), IN, H)
    before = stack.get_parameter("l0.weight_ih").detach().clone()
    with pytest.raises(
        ShapeError, match=r"weight_ih_l0 must have shape \(20, 4\) but has \(20, 7\)"
    ):
        load_torch_weights(stack, nn.LSTM(7, H).state_dict())
    assert torch.equal(stack.get_parameter("l0.weight_ih"), before)
