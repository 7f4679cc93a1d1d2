"""Layers on torch's own recurrence, on CUDA cuDNN's: one call for all layers over all steps.

What is mapped is weights, state and lengths; the result is that of the loop of `step`. Dropout is
not here: the stack calls this a layer at a time where it has some.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from recurra.cells import Cell, Weights

# torch's name of each cell that it has, and cuDNN's number of it
MODES = {
    "relu_rnn": ("rnn_relu", 0),
    "irnn": ("rnn_relu", 0),
    "rnn": ("rnn_tanh", 1),
    "lstm": ("lstm", 2),
    "gru": ("gru", 3),
}


def takes(cell: Cell[Any], given: Tensor, weights: Iterable[Tensor]) -> bool:
    """Whether layers of `cell` with these tensors run here: on CUDA, where torch has the cell.

    The cell is exactly one of Recurra's own, not a subclass, and there is no function transform.
    """
    return (
        type(cell).__module__ in {f"recurra.cells.{name}" for name in MODES}
        and given.is_cuda
        and all(one.is_cuda for one in weights)
        and not torch._C._are_functorch_transforms_active()
    )


def run(
    cell: Cell[Any],
    weights: Sequence[Weights],
    x: Tensor,
    state: Sequence[Sequence[Tensor]],
    lengths: Tensor | None,
    directions: int,
) -> tuple[Tensor, tuple[Any, ...]]:
    """Outputs (T, B, D·H) of the last layer and each layer's and direction's final state.

    x (T, B, I); `weights` and `state` (fields (B, H)) a layer and direction, both directions of a
    layer side by side; lengths (B,), 0 to T.
    """
    fields = [torch.stack(each) for each in zip(*state, strict=True)]  # each (L·D, B, H)
    flat = _flattened(cell.name, weights, x.shape[-1], directions)
    if lengths is None:
        outputs, final = _call(cell.name, (x,), fields, flat, directions)
    else:
        outputs, final = _padded(cell.name, x, fields, lengths, flat, directions)
    each = zip(*(field.unbind(0) for field in final), strict=True)
    return outputs, tuple(cell.State(*one) for one in each)


def _call(
    name: str,
    data: tuple[Tensor, ...],
    state: Sequence[Tensor],
    flat: Sequence[Tensor],
    directions: int,
) -> tuple[Tensor, list[Tensor]]:
    """torch's call; `data` is x (T, B, I), or a packed sequence's numbers and batch sizes."""
    function: Any = getattr(torch._VF, MODES[name][0])
    hx = tuple(state) if name == "lstm" else state[0]
    layers = len(flat) // 4 // directions
    # has_biases, num_layers, dropout, train (keep what a backward pass needs), bidirectional
    settings: tuple[Any, ...] = (True, layers, 0.0, torch.is_grad_enabled(), directions == 2)
    if len(data) == 1:
        settings = (*settings, False)  # batch_first
        outputs, *final = function(data[0], hx, flat, *settings)
    else:
        outputs, *final = function(*data, hx, flat, *settings)
    return outputs, final


def _padded(
    name: str,
    x: Tensor,
    state: Sequence[Tensor],
    lengths: Tensor,
    flat: Sequence[Tensor],
    directions: int,
) -> tuple[Tensor, list[Tensor]]:
    """`_call` over packed sequences: nothing else gives the state after each one's last step."""
    lengths = lengths.cpu()
    empty = (lengths == 0).to(x.device)[None, :, None]
    some_empty = bool((lengths == 0).any())
    if some_empty:
        # A packed sequence has at least one step: an empty one gets a zero step that is undone.
        x = x.masked_fill(empty, 0)
    packed = pack_padded_sequence(x, lengths.clamp(min=1), enforce_sorted=False)
    there, back = packed.sorted_indices, packed.unsorted_indices
    assert there is not None
    assert back is not None
    ordered = [field.index_select(1, there) for field in state]
    data, final = _call(name, (packed.data, packed.batch_sizes), ordered, flat, directions)
    outputs, _ = pad_packed_sequence(
        PackedSequence(data, packed.batch_sizes, there, back), total_length=len(x)
    )
    final = [field.index_select(1, back) for field in final]
    if some_empty:
        outputs = outputs.masked_fill(empty, 0)
        final = [torch.where(empty, a, b) for a, b in zip(state, final, strict=True)]
    return outputs, final


def _flattened(
    name: str, weights: Sequence[Weights], input_size: int, directions: int
) -> tuple[Tensor, ...]:
    """weight_ih, weight_hh and torch's two biases of every layer and direction."""
    given: list[Tensor] = []
    for one in weights:
        hidden = one.weight_hh.shape[1]
        inside = torch.zeros_like(one.bias)
        if "bias_hn" in one:  # the one bias within the recurrence
            inside = torch.cat([inside[: 2 * hidden], one.bias_hn])
        given += [one.weight_ih, one.weight_hh, one.bias, inside]
    if not torch.backends.cudnn.is_acceptable(given[0]):  # type: ignore[no-untyped-call]
        return tuple(given)
    layers = len(weights) // directions
    sizes = (input_size, MODES[name][1], hidden, 0, layers, False, directions == 2)
    return _Flat.apply(sizes, *given)  # type: ignore[no-any-return, no-untyped-call]


class _Flat(Function):
    """Copies in one piece of memory: cuDNN would make them at every call, and warn each time."""

    @staticmethod
    def forward(ctx: Any, sizes: tuple[Any, ...], *weights: Tensor) -> tuple[Tensor, ...]:
        copies = [one.detach().clone() for one in weights]
        with torch.cuda.device_of(copies[0]):  # type: ignore[no-untyped-call]
            torch._cudnn_rnn_flatten_weight(copies, 4, *sizes)
        return tuple(copies)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        return (None, *gradients)
