"""One call of a drop-in: whether the kernels cover it, and how its layers are run if so.

The kernels take batch-first and packed input as they are; only unbatched input is turned.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from recurra import fused, kernels
from recurra.errors import ShapeError

CELLS = {"LSTM": "lstm", "GRU": "gru", "RNN_TANH": "rnn", "RNN_RELU": "relu_rnn"}
NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


class Call(NamedTuple):
    """An input that the kernels cover."""

    x: Tensor  # (T, B, I), (B, T, I) or packed (N, I)
    batch: int
    packed: PackedSequence | None  # the input, where it was packed
    unbatched: bool
    state: tuple[Tensor | None, ...]  # h and c, (L·D, B, H), as they were given
    weights: list[Tensor | None]  # of each layer and direction, as the node takes them


def call_of(module: torch.nn.RNNBase, given: Any, state: Any) -> Call | None:
    """The call in the kernels' terms, or None where it is torch's to run or to refuse."""
    if module.proj_size or torch.compiler.is_compiling():
        return None
    packed = given if isinstance(given, PackedSequence) else None
    x = given if packed is None else packed.data
    if not isinstance(x, Tensor) or x.shape[-1:] != (module.input_size,):
        return None
    fields = _fields(state, 2 if module.mode == "LSTM" else 1)
    weights = _weights(module)
    if fields is None or not fused.readable(x, *fields, *weights):
        return None
    unbatched = False
    if packed is not None:
        batch = int(packed.batch_sizes[0])
        if x.dim() != 2 or not _in_order(packed, batch):
            return None
    elif x.dim() == 3:
        batch = x.shape[0 if module.batch_first else 1]
    elif x.dim() == 2:
        unbatched, batch, x = True, 1, x[:, None]
        if any(one.dim() != 2 for one in fields):
            return None
        fields = tuple(one[:, None] for one in fields)
    else:
        return None
    if fields:
        shape = (len(weights) // kernels.WEIGHTS, batch, module.hidden_size)
        if any(one.shape != shape for one in fields):
            return None
    return Call(x, batch, packed, unbatched, (*fields, None, None)[:2], weights)


def result_of(
    module: torch.nn.RNNBase, given: Any, state: Any
) -> tuple[Any, tuple[Tensor, ...]] | None:
    """Output and final state's fields from the kernels; None where torch is to run or refuse it."""
    call = call_of(module, given, state)
    if call is None:
        return None
    try:
        return run(module, call)
    except ShapeError:  # weights or steps of other sizes than the module's or the batch's, or none
        return None


def run(module: torch.nn.RNNBase, call: Call) -> tuple[Any, tuple[Tensor, ...]]:
    """The output and the final state's fields, in the form that the input had.

    Raises ShapeError for weights and packed steps that do not fit.
    """
    packed, x, finals = call.packed, call.x, []
    directions = 2 if module.bidirectional else 1
    batch_first = module.batch_first and packed is None and not call.unbatched
    dropped = module.dropout and module.training and module.num_layers > 1
    # torch draws dropout's numbers step by step, whatever the form of the input
    turned = batch_first and dropped
    if turned:
        x = x.transpose(0, 1)
    layer = _layer(
        module.mode, call.batch, module.hidden_size, directions, batch_first and not turned
    )
    if packed is not None:
        layer = layer._replace(batch_sizes=packed.batch_sizes, order=packed.sorted_indices)
    if module.num_layers == 1:  # nothing to slice, drop or join: it shows at one sequence
        x, *fields = fused.run(layer, x, *call.state, *call.weights)
        return _as_given(call, x, fields)
    for depth in range(module.num_layers):
        begin, end = depth * directions, (depth + 1) * directions
        h0, c0 = (None if one is None else one[begin:end] for one in call.state)
        weights = call.weights[begin * kernels.WEIGHTS : end * kernels.WEIGHTS]
        x, *final = fused.run(layer, x, h0, c0, *weights)
        finals.append(final)
        if dropped and depth + 1 < module.num_layers:
            x = torch.dropout(x, module.dropout, True)
    if turned:
        x = x.transpose(0, 1)
    return _as_given(call, x, [torch.cat(one) for one in zip(*finals, strict=True)])


@lru_cache(maxsize=64)
def _layer(mode: str, batch: int, hidden: int, directions: int, batch_first: bool) -> fused.Call:
    kind = kernels.kind(CELLS[mode])
    return fused.Call(kind, batch, hidden, directions, batch_first=batch_first, stacked=True)


def _as_given(call: Call, x: Tensor, fields: list[Tensor]) -> tuple[Any, tuple[Tensor, ...]]:
    """The output and the final state's fields, packed or unbatched where the input was."""
    if call.packed is not None:
        return call.packed._replace(data=x), tuple(fields)
    if call.unbatched:
        return x[:, 0], tuple(one[:, 0] for one in fields)
    return x, tuple(fields)


def _in_order(packed: PackedSequence, batch: int) -> bool:
    """Whether its indices are such as torch's own packing makes them."""
    there, back = packed.sorted_indices, packed.unsorted_indices
    given = [one for one in (packed.batch_sizes, there, back) if one is not None]
    if not all(one.dtype is torch.int64 and one.is_cpu and one.is_contiguous() for one in given):
        return False
    if there is None or back is None:
        return there is back
    # One is the other's inverse: the places of 0, 1, 2, … in it.
    places = there.tolist()
    inverse = sorted(range(batch), key=places.__getitem__) if len(places) == batch else []
    return sorted(places) == list(range(batch)) and back.tolist() == inverse


def _fields(state: Any, count: int) -> tuple[Tensor, ...] | None:
    """The state's tensors, none of them where none was given; None for anything else."""
    if state is None:
        return ()
    fits = isinstance(state, (tuple, list)) and len(state) == count
    return tuple(state) if fits and all(isinstance(one, Tensor) for one in state) else None


def _weights(module: torch.nn.RNNBase) -> list[Tensor | None]:
    """Each layer's and direction's weight_ih, weight_hh, bias_ih and bias_hh, and none other."""
    names = _names(module.num_layers, module.bidirectional, module.bias)
    own = module._parameters  # what getattr looks up at the end of a long way
    try:
        return [None if name is None else own[name] for name in names]
    except KeyError:  # some are made of other parameters
        return [None if name is None else getattr(module, name) for name in names]


@cache
def _names(layers: int, bidirectional: bool, bias: bool) -> list[str | None]:
    """Of each layer and direction: its parameters' names, and None for each that it has not."""
    of_each = NAMES if bias else NAMES[:2]
    ways = ("", "_reverse") if bidirectional else ("",)
    return [
        name and f"{name}_l{depth}{way}"
        for depth in range(layers)
        for way in ways
        for name in (*of_each, *[None] * (kernels.WEIGHTS - len(of_each)))
    ]
