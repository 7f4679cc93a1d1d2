"""The node under what torch may do to a graph: copied, moved, watched or stale saved tensors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd import forward_ad
from torch.autograd.graph import saved_tensors_hooks
from torch.nn.utils.rnn import pack_padded_sequence
from torch.utils.checkpoint import checkpoint

import recurra.nn as ours
from recurra import cells, fused, kernels
from recurra.cells.gru import GRUCell
from recurra.errors import ConfigError, ShapeError
from recurra.layers.stack import Stack

pytestmark = pytest.mark.skipif(
    kernels.why_missing() is not None, reason=f"no native kernels: {kernels.why_missing()}"
)
GRADIENT = 2e-5  # a few hundred float32 terms around one, in another order than torch's
NAMES = ["RNN", "LSTM", "GRU"]


def pair(name: str) -> tuple[nn.RNNBase, nn.RNNBase]:
    """torch's module of two layers and ours with the same weights."""
    theirs, mine = (getattr(where, name)(5, 7, 2) for where in (nn, ours))
    mine.load_state_dict(theirs.state_dict())
    return theirs, mine


def gradients(module: nn.RNNBase, x: Tensor, outputs: Callable[[Tensor], Tensor]) -> list[Tensor]:
    """Those of input and weights, once the memory that forward gave back holds NaN."""
    leaf = x.clone().requires_grad_()
    out = outputs(leaf)
    held = [torch.full((n,), torch.nan) for n in (out.numel(), x.numel()) for _ in range(50)]
    out.square().sum().backward()  # type: ignore[no-untyped-call]
    del held
    found = [leaf.grad, *(one.grad for one in module.parameters())]
    assert all(one is not None for one in found)
    return [one for one in found if one is not None]


def turned(kept: Tensor) -> Tensor:
    """The same numbers, those of the first axis side by side in memory."""
    return kept.movedim(0, -1).contiguous().movedim(-1, 0)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("how", ["checkpoint", "copied", "in another layout"])
def test_gradients_read_the_saved_tensors_wherever_torch_put_them(name: str, how: str) -> None:
    """A checkpoint makes them anew; hooks may copy, offload or compress them."""
    x = torch.randn(9, 4, 5)
    theirs, mine = pair(name)

    def outputs(leaf: Tensor) -> Tensor:
        if how == "checkpoint":
            made = checkpoint(lambda z: mine(z * 1.0)[0], leaf, use_reentrant=False)
            assert isinstance(made, Tensor)
            return made
        unpack = turned if how == "in another layout" else torch.Tensor.detach
        with saved_tensors_hooks(torch.clone, unpack):
            out: Tensor = mine(leaf * 1.0)[0]
        return out

    # torch's without: its own LSTM reads what is laid out otherwise as if it were not
    expected = gradients(theirs, x, lambda leaf: theirs(leaf)[0])
    for one, other in zip(expected, gradients(mine, x, outputs), strict=True):
        torch.testing.assert_close(other, one, rtol=1e-5, atol=GRADIENT)


def test_a_hook_that_gives_back_another_type_is_told() -> None:
    """As torch's own operations do: numbers of another size cannot be read where they lie."""
    module = ours.LSTM(5, 7)
    with saved_tensors_hooks(torch.Tensor.half, lambda kept: kept):
        outputs = module(torch.randn(9, 4, 5))[0]
    with pytest.raises(ConfigError, match=r"but there is torch\.float16 on cpu\. Convert it in"):
        outputs.sum().backward()


@pytest.mark.parametrize("what", ["ids", "lengths"])
def test_ids_or_lengths_that_changed_before_the_backward_pass_are_an_error(what: str) -> None:
    stack = Stack(cells.load("lstm"), 5, 7, rng=np.random.default_rng(0))
    ids, lengths = torch.randint(0, 4, (6, 2)), torch.tensor([6, 3])
    outputs, _ = stack.forward_ids(ids, torch.randn(4, 5), lengths=lengths)
    (ids if what == "ids" else lengths).fill_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        outputs.sum().backward()  # type: ignore[no-untyped-call]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, of torch.jit.script
def test_forward_mode_differentiation_is_torchs() -> None:
    x, tangent = torch.randn(2, 3, 2, 5)
    found = []
    for module in pair("RNN"):
        with forward_ad.dual_level():
            dual = forward_ad.make_dual(x, tangent)  # type: ignore[no-untyped-call]
            out = module.requires_grad_(False)(dual)[0]
            found.append(forward_ad.unpack_dual(out).tangent)  # type: ignore[no-untyped-call]
    torch.testing.assert_close(found[1], found[0], rtol=1e-5, atol=GRADIENT)


def test_a_gradient_whose_sign_is_not_in_memory_keeps_it() -> None:
    """The imaginary part of a conjugate is the negative of what lies in memory, here one number."""
    x, found = torch.randn(3, 2, 5), []
    for module in pair("GRU"):
        leaf = x.clone().requires_grad_()
        out = module(leaf)[0]
        number = torch.full((), 2 + 3j).conj().imag.expand_as(out)
        assert number.is_neg()
        out.backward(number)
        found.append(leaf.grad)
    torch.testing.assert_close(found[1], found[0], rtol=1e-5, atol=GRADIENT)


def test_a_final_state_of_one_number_keeps_the_sign_of_its_gradient() -> None:
    """As above; of one number such a gradient is contiguous already, so nothing copies it."""
    theirs, mine = nn.GRU(5, 1), ours.GRU(5, 1)
    mine.load_state_dict(theirs.state_dict())
    x, found = torch.randn(3, 1, 5), []
    for module in (theirs, mine):
        leaf = x.clone().requires_grad_()
        final = module(leaf)[1]
        final.backward(torch.full((1, 1, 1), 2 + 3j).conj().imag)
        found.append(leaf.grad)
    torch.testing.assert_close(found[1], found[0], rtol=1e-5, atol=GRADIENT)


def test_an_input_of_one_number_keeps_its_sign() -> None:
    """As above: contiguous already, though its sign is not in memory."""
    theirs, mine = nn.RNN(1, 1), ours.RNN(1, 1)
    mine.load_state_dict(theirs.state_dict())
    number = torch.full((1, 1, 1), 2 + 3j).conj().imag
    assert number.is_neg()
    torch.testing.assert_close(mine(number, number), theirs(number, number))


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning", "ignore::DeprecationWarning")
def test_a_traced_or_exported_stack_computes_from_its_input() -> None:
    stack = Stack(cells.load("gru"), 5, 7, rng=np.random.default_rng(0)).requires_grad_(False)
    example, x = torch.randn(2, 3, 2, 5)
    trace = torch.jit.trace
    traced = trace(lambda given: stack(given)[0], example, check_trace=False)  # type: ignore[no-untyped-call]
    torch.testing.assert_close(traced(x), stack(x)[0], rtol=1e-5, atol=1e-6)
    exported = torch.export.export(stack, (example,)).module()
    torch.testing.assert_close(exported(x)[0], stack(x)[0], rtol=1e-5, atol=1e-6)


def test_a_tensor_without_memory_of_its_own_is_not_readable() -> None:
    with FakeTensorMode():
        fake = torch.randn(3, 2, 5)
        assert not fused.readable(fake)
    assert not fused.readable(fake)
    for elsewhere in (torch.eye(3).to_sparse(), torch._efficientzerotensor((3, 3))):
        assert not fused.readable(elsewhere)
    assert fused.readable(torch.randn(3), nn.Parameter(torch.randn(3)), None)


def test_weights_of_another_shape_are_refused_before_they_are_read() -> None:
    stack = Stack(GRUCell(), 4, 6)
    layer = next(iter(stack.layers(0)))
    layer.weight_hh = nn.Parameter(torch.zeros(2, 2))
    with pytest.raises(ShapeError, match=r"weight_hh must have the shape \(18, 6\) but has .*2, 2"):
        stack(torch.randn(3, 2, 4))


@pytest.mark.parametrize(("cell", "at"), [("gru", 0), ("gru", 1), ("gru_reset_before", 4)])
def test_a_weight_matrix_that_is_none_is_refused_before_it_is_read(cell: str, at: int) -> None:
    call = fused.Call(kernels.kind(cell), 3, 7)
    splits = cell == "gru_reset_before"  # W_hn by itself
    shapes = {0: (21, 5), 1: (14 if splits else 21, 7)} | ({4: (7, 7)} if splits else {})
    weights = [torch.zeros(shapes[k]) if k in shapes and k != at else None for k in range(5)]
    with pytest.raises(ShapeError, match="a weight matrix that the cell needs is None"):
        fused.run(call, torch.randn(4, 3, 5), None, None, *weights)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ((400, 20, 4), r"the input must have the shape \(400, 20, 4\)"),
        ((400, 20, 6), r"the output must have the shape \(400, 20, 6\)"),
        ((20, 6), r"h0 must have the shape \(20, 6\)"),
        ((18, 4), r"weight_ih must have the shape \(18, 4\)"),
        ((8000, 18), r"the gates must have the shape \(8000, 18\)"),
    ],
    ids=["input", "output", "h0", "weight_ih", "gates"],
)
def test_a_hook_that_gives_back_another_shape_is_refused(
    changed: tuple[int, ...], said: str
) -> None:
    stack = Stack(GRUCell(), 4, 6, learned_state=True)
    with saved_tensors_hooks(
        lambda one: one, lambda one: one[:1].clone() if one.shape == changed else one
    ):
        loss = stack(torch.randn(400, 20, 4, requires_grad=True))[0].sum()
    with pytest.raises(ShapeError, match=said):
        loss.backward()


@pytest.mark.parametrize(
    ("changed", "error", "said"),
    [
        ("table", ShapeError, r"the input must have the shape \(9, 4\)"),
        ("ids", IndexError, r"id 9 is out of range: the table has 9 rows"),
    ],
)
def test_a_hook_that_gives_back_fewer_rows_than_ids_mean_is_refused(
    changed: str, error: type[Exception], said: str
) -> None:
    stack, embedding = Stack(GRUCell(), 4, 6), torch.randn(9, 4, requires_grad=True)

    def unpack(kept: Tensor) -> Tensor:
        if changed == "ids":
            return kept + 9 if kept.dtype is torch.int64 else kept
        return kept[:1].clone() if kept.shape == (9, 4) else kept

    with saved_tensors_hooks(lambda one: one, unpack):
        loss = stack.forward_ids(torch.zeros(3, 2, dtype=torch.int64), embedding)[0].sum()
    with pytest.raises(error, match=said):
        loss.backward()  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(
    "shape", [(9, 4, 4), (18, 4), (18, 6), (36, 18), (36, 6), (9, 4, 6)], ids=str
)
def test_a_hook_that_gives_back_a_tensor_without_memory_is_refused(shape: tuple[int, ...]) -> None:
    stack = Stack(GRUCell(), 4, 6)
    with saved_tensors_hooks(
        lambda one: one,
        lambda one: torch._efficientzerotensor(shape) if one.shape == shape else one,
    ):
        loss = stack(torch.randn(9, 4, 4, requires_grad=True))[0].sum()
    with pytest.raises(RuntimeError, match="has no memory of its own"):
        loss.backward()


def test_a_sign_that_a_hook_leaves_outside_memory_counts() -> None:
    stack, x = Stack(GRUCell(), 4, 6), torch.randn(9, 4, 4, requires_grad=True)
    expected = torch.autograd.grad(stack(x)[0].sum(), [x, *stack.parameters()])
    with saved_tensors_hooks(lambda one: one, lambda one: torch._neg_view(-one)):
        loss = stack(x)[0].sum()
        found = torch.autograd.grad(loss, [x, *stack.parameters()])
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one, other)


def test_sizes_of_steps_that_no_longer_begin_with_the_batch_are_refused() -> None:
    packed = pack_padded_sequence(torch.randn(3, 3, 5), torch.tensor([3, 2, 1]))
    loss = ours.GRU(5, 7)(packed)[0].data.sum()
    packed.batch_sizes.data.fill_(2)  # as many rows in all
    with pytest.raises(ShapeError, match=r"batch_sizes must begin with B=3, .* but hold 2 first"):
        loss.backward()


def test_a_sparse_gradient_from_above_is_refused_as_that() -> None:
    outputs = Stack(GRUCell(), 4, 6)(torch.randn(9, 4, 4))[0]
    with pytest.raises(ConfigError, match=r"one gradient at a time, .* and no sparse one"):
        outputs.backward(torch.ones_like(outputs).to_sparse())


def test_a_hook_that_gives_back_another_type_is_refused() -> None:
    packed = pack_padded_sequence(torch.randn(3, 2, 5), torch.tensor([3, 2]))
    with saved_tensors_hooks(
        lambda one: one, lambda one: one.float() if one.dtype is torch.int64 else one
    ):
        loss = ours.GRU(5, 7)(packed)[0].data.sum()
    with pytest.raises(ConfigError, match=r"here torch\.int64 on the CPU, but there is"):
        loss.backward()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("which", ["x", "h0"])
def test_data_that_were_replaced_by_fewer_between_the_passes_are_refused(
    name: str, which: str
) -> None:
    _, mine = pair(name)
    x, h0 = torch.randn(40, 20, 5, requires_grad=True), torch.zeros(2, 20, 7)
    state = h0.requires_grad_()
    loss = mine(x, (state, h0.clone()) if name == "LSTM" else state)[0].sum()
    if which == "x":
        x.data = torch.randn(1, 2, 5)
    else:
        state.data = torch.randn(2, 1, 7)
    with pytest.raises((ShapeError, RuntimeError), match="shape"):
        loss.backward()


@pytest.mark.parametrize("name", NAMES)
def test_a_weight_that_was_moved_between_the_passes_is_an_error_that_says_so(name: str) -> None:
    module = getattr(ours, name)(5, 7)
    loss = module(torch.randn(4, 3, 5))[0].sum()
    with torch.no_grad():
        module.weight_hh_l0.mul_(2)
    with pytest.raises(RuntimeError, match=r"reads its input, start state, weights and output"):
        loss.backward()
