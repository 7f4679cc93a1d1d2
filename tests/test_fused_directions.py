"""Both directions of a stack's layer in one native call and one node, for each form of input.

The forms: x; ids of a vocabulary no larger than T·B (a table of x_gates) or larger (rows of the
embedding), with an embedding or one-hot. Other sizes, lengths and states are in test_fused.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from recurra import cells, fused, kernels
from recurra.cells.lstm import LSTMCell
from recurra.errors import ShapeError
from recurra.layers.layer import Symbols
from recurra.layers.stack import Stack

pytestmark = pytest.mark.skipif(
    kernels.why_missing() is not None, reason=f"no native kernels: {kernels.why_missing()}"
)

T, B, H = 6, 4, 17
FORMS = ["x", "table", "rows", "one-hot table", "one-hot rows"]
LENGTHS = torch.tensor([T, 0, 2, 5])


class Given:
    """An input in one of the forms and a bidirectional layer that reads it, in float32."""

    def __init__(self, name: str, form: str) -> None:
        generator = torch.Generator().manual_seed(0)
        symbols = T * B + 3 if form.endswith("rows") else 5
        width = symbols if form.startswith("one-hot") else 7
        self.stack = Stack(cells.load(name), width, H, bidirectional=True, learned_state=True)
        self.ids = torch.randint(symbols, (T, B), generator=generator)
        shape = {"x": (T, B, width), "table": (symbols, width), "rows": (symbols, width)}.get(form)
        self.values = None  # x, or the embedding
        if shape is not None:
            self.values = torch.randn(shape, generator=generator).requires_grad_()
        self.form = form
        self.above = torch.randn(T, B, 2 * H, generator=generator)

    def run(self, stack: Stack, values: Tensor | None) -> tuple[list[Tensor], tuple[Tensor, ...]]:
        """Outputs and final states; the gradients of what came in and of each parameter."""
        if self.form == "x":
            assert values is not None
            outputs, final = stack(values, lengths=LENGTHS)
        else:
            outputs, final = stack.forward_ids(self.ids, values, lengths=LENGTHS)
        fields = [field for one in final for field in one]
        loss = (outputs * self.above.to(outputs)).sum() + sum(one.square().sum() for one in fields)
        leaves = [*stack.parameters()] if values is None else [values, *stack.parameters()]
        return [outputs, *fields], torch.autograd.grad(loss, leaves)


def nodes(value: Tensor) -> Iterator[Any]:
    """Every node of the graph that made it."""
    ahead, seen = [value.grad_fn], set()
    while ahead:
        node = ahead.pop()
        if node is not None and node not in seen:
            seen.add(node)
            yield node
            ahead += [one for one, _ in node.next_functions]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", kernels.names())
def test_both_directions_of_a_layer_are_one_node_and_one_native_call_each_way(
    name: str, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    def count(name: str) -> None:
        run = getattr(kernels, name)

        def counted(*given: Any, **more: Any) -> None:
            calls.append(name)
            run(*given, **more)

        monkeypatch.setattr(kernels, name, counted)

    count("run_forward")
    count("run_backward")
    given = Given(name, form)
    values, _ = given.run(given.stack, given.values)
    assert calls == ["run_forward", "run_backward"]
    for value in values:
        assert sum("_Sequence" in node.name() for node in nodes(value)) == 1


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", kernels.names())
def test_both_directions_equal_the_float64_reference_in_values_and_gradients(
    name: str, form: str
) -> None:
    given = Given(name, form)
    values, gradients = given.run(given.stack, given.values)
    double = Stack(
        given.stack.cell, given.stack.input_size, H, bidirectional=True, learned_state=True
    ).double()
    double.load_state_dict(given.stack.state_dict())
    source = None if given.values is None else given.values.detach().double().requires_grad_()
    wanted, wanted_gradients = given.run(double, source)
    # float32 rounds by 6e-8 an operation: the bounds of test_fused.py, of fewer steps
    for found, expected in zip(values, wanted, strict=True):
        torch.testing.assert_close(found.double(), expected, rtol=1e-6, atol=1e-6)
    for found, expected in zip(gradients, wanted_gradients, strict=True):
        assert (found.double() - expected).norm() <= 1e-5 * expected.norm()


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", kernels.names())
def test_both_directions_have_the_bits_that_each_has_alone(
    name: str, form: str, threads: int
) -> None:
    given, before = Given(name, form), torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        values, gradients = given.run(given.stack, given.values)
        for layer in given.stack.layers(0):  # a hook parts them
            layer.register_forward_hook(lambda *_: None)
        alone, gradients_alone = given.run(given.stack, given.values)
    finally:
        torch.set_num_threads(before)
    for one, other in zip([*values, *gradients], [*alone, *gradients_alone], strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("direction", [0, 1])
@pytest.mark.parametrize("form", ["x", "table"])
def test_a_hook_on_a_direction_sees_what_that_takes_and_gives(form: str, direction: int) -> None:
    given, seen = Given("gru", form), []
    given.stack.layers(0)[direction].register_forward_hook(lambda _, *both: seen.append(both))
    (outputs, *_), _ = given.run(given.stack, given.values)
    ((taken, (part, _)),) = seen
    assert torch.equal(part, outputs[..., direction * H : (direction + 1) * H])
    wanted = Symbols if form == "table" else Tensor
    assert isinstance(taken[0], wanted)


def test_x_gates_of_another_shape_are_refused_before_they_are_read() -> None:
    cell, zeros = LSTMCell(), torch.zeros(B, H)
    layer = Stack(cell, 3, H).layers(0)[0]
    wrong = torch.zeros(T, B, 4 * H - 1)
    with pytest.raises(ShapeError, match=r"x_gates must have the shape \(6, 4, 68\) but has .*67"):
        fused.layer(cell, [layer.weights], [(zeros, zeros)], None, False, x_gates=[wrong])


def test_the_two_directions_x_gates_must_have_the_same_shape() -> None:
    cell, zeros = LSTMCell(), torch.zeros(B, H)
    layer = Stack(cell, 3, H).layers(0)[0]
    tables, ids = [torch.zeros(5, 4 * H), torch.zeros(4, 4 * H)], torch.zeros(T, B).long()
    wanted = r"the table of x_gates must have the shape \(5, 68\) but has .*\[4, 68\]"
    weights, state = [layer.weights] * 2, [(zeros, zeros)] * 2
    with pytest.raises(ShapeError, match=wanted):
        fused.layer(cell, weights, state, None, False, x_gates=tables, ids=ids)


@pytest.mark.parametrize("form", ["x", "table"])
@pytest.mark.parametrize("direction", ["l0", "l0_reverse"])
def test_what_stands_for_a_direction_is_called(form: str, direction: str) -> None:
    class Doubled(nn.Module):
        def __init__(self, layer: nn.Module) -> None:
            super().__init__()
            self.layer = layer

        def __getattr__(self, name: str) -> Any:
            try:
                return super().__getattr__(name)
            except AttributeError:
                return getattr(super().__getattr__("layer"), name)

        def forward(self, *given: Any) -> Any:
            outputs, final = self.layer(*given)
            return 2 * outputs, final

    given = Given("gru", form)
    (plain, *_), _ = given.run(given.stack, given.values)
    part = slice(H) if direction == "l0" else slice(H, None)
    expected = plain.clone()
    expected[..., part] *= 2
    layer = getattr(given.stack, direction)
    own = layer.forward
    layer.forward = lambda *all_: (lambda found: (2 * found[0], found[1]))(own(*all_))
    (patched, *_), _ = given.run(given.stack, given.values)
    assert torch.equal(patched, expected)
    del layer.forward
    setattr(given.stack, direction, Doubled(layer))
    if form == "x":
        wrapped, _ = given.stack(given.values, lengths=LENGTHS)
    else:
        wrapped, _ = given.stack.forward_ids(given.ids, given.values, lengths=LENGTHS)
    assert torch.equal(wrapped, expected)


def test_a_final_state_may_be_changed_in_place_and_gradients_go_on_through_it() -> None:
    given = Given("lstm", "x")
    _, (forward, reverse) = given.stack(given.values, lengths=LENGTHS)
    forward.hidden[1] = 0
    (forward.hidden.sum() + reverse.cell.sum()).backward()
    assert given.values is not None
    assert given.values.grad is not None
    assert given.values.grad.abs().sum() > 0
