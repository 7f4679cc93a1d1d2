"""One call of a drop-in: whether the kernels cover it, and how its layers are run if so.

Inside everything is (T, B, …); batch-first, unbatched and packed input are turned here and back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from recurra import cells, fused
from recurra.cells import Weights

LARGE, MANY = 256, 1024  # units, and steps in all sequences, from which oneDNN is faster
CELLS = {"LSTM": "lstm", "GRU": "gru", "RNN_TANH": "rnn", "RNN_RELU": "relu_rnn"}


@dataclass(frozen=True)
class Call:
    """An input that the kernels cover."""

    x: Tensor  # (T, B, I)
    lengths: Tensor | None  # (B,) of a packed input, longest first
    packed: PackedSequence | None  # the input, where it was packed
    unbatched: bool
    state: tuple[Tensor, ...] | None  # fields (L·D, B, H), in the order of x's sequences


def call_of(module: torch.nn.RNNBase, given: Any, state: Any) -> Call | None:
    """The call in the kernels' terms, or None where it is torch's to run or to refuse."""
    if module.proj_size or torch.compiler.is_compiling() or torch._C._get_tracing_state():
        return None
    data = given.data if isinstance(given, PackedSequence) else given
    if not isinstance(data, Tensor) or data.numel() == 0 or data.shape[-1] != module.input_size:
        return None
    fields = _fields(state, 2 if module.mode == "LSTM" else 1)
    if fields is None or not fused.takes(_cell(module), data, *fields, *module.parameters()):
        return None
    if _faster_in_torch(module, given):
        return None
    if isinstance(given, PackedSequence):
        x, lengths = pad_packed_sequence(_in_its_order(given))
        order = given.sorted_indices
        if order is not None:
            fields = tuple(one.index_select(1, order) for one in fields)
        call = Call(x, lengths, given, False, fields or None)
    else:
        if data.dim() not in (2, 3):
            return None
        unbatched = data.dim() == 2
        if unbatched:
            x = data[:, None]
            if any(one.dim() != 2 for one in fields):
                return None
            fields = tuple(one[:, None] for one in fields)
        else:
            x = data.transpose(0, 1) if module.batch_first else data
        call = Call(x, None, None, unbatched, fields or None)
    directions = 2 if module.bidirectional else 1
    shape = (module.num_layers * directions, call.x.shape[1], module.hidden_size)
    return call if all(tuple(one.shape) == shape for one in fields) else None


def run(module: torch.nn.RNNBase, call: Call) -> tuple[Any, tuple[Tensor, ...]]:
    """The output and the final state's fields, in the form that the input had."""
    cell, x, finals = _cell(module), call.x, []
    directions = 2 if module.bidirectional else 1
    zero = None if call.state else x.new_zeros(x.shape[1], module.hidden_size)
    for depth in range(module.num_layers):
        parts = []
        for direction in range(directions):
            index = depth * directions + direction
            state = tuple(one[index] for one in call.state) if call.state else None
            if state is None:
                assert zero is not None
                state = (zero,) * len(cell.State._fields)
            weights = _weights(module, cell, f"_l{depth}" + "_reverse" * direction)
            part, final = fused.layer(cell, weights, state, call.lengths, direction == 1, x=x)
            parts.append(part)
            finals.append(final)
        x = torch.cat(parts, dim=-1) if directions == 2 else parts[0]
        if module.dropout and module.training and depth + 1 < module.num_layers:
            x = torch.dropout(x, module.dropout, True)
    fields = tuple(torch.stack(each) for each in zip(*finals, strict=True))
    return _as_given(module, call, x, fields)


def _as_given(
    module: torch.nn.RNNBase, call: Call, output: Tensor, fields: tuple[Tensor, ...]
) -> tuple[Any, tuple[Tensor, ...]]:
    if call.packed is not None:
        assert call.lengths is not None
        packed = call.packed
        data = pack_padded_sequence(output, call.lengths).data
        back = packed.unsorted_indices
        if back is not None:
            fields = tuple(one.index_select(1, back) for one in fields)
        return packed._replace(data=data), fields
    if call.unbatched:
        return output[:, 0], tuple(one[:, 0] for one in fields)
    return (output.transpose(0, 1) if module.batch_first else output), fields


def _faster_in_torch(module: torch.nn.RNNBase, given: Any) -> bool:
    """Whether it is a large LSTM that is not trained, which torch hands to oneDNN.

    Measured: at H = 512, B = 64, T = 64 the kernels' forward pass takes 1.1 times as long.
    """
    return (
        module.mode == "LSTM"
        and module.hidden_size >= LARGE
        and isinstance(given, Tensor)
        and given.numel() >= MANY * given.shape[-1]
        and not (torch.is_grad_enabled() and any(one.requires_grad for one in module.parameters()))
    )


def _fields(state: Any, count: int) -> tuple[Tensor, ...] | None:
    """The state's tensors, none of them where none was given; None for anything else."""
    if state is None:
        return ()
    fits = isinstance(state, (tuple, list)) and len(state) == count
    return tuple(state) if fits and all(isinstance(one, Tensor) for one in state) else None


def _in_its_order(packed: PackedSequence) -> PackedSequence:
    """The same sequences, longest first, as sequences that were given so."""
    return PackedSequence(packed.data, packed.batch_sizes)


def _cell(module: torch.nn.RNNBase) -> Any:
    return cells.load(CELLS[module.mode])


def _weights(module: torch.nn.RNNBase, cell: Any, suffix: str) -> Weights:
    """The layer's weights under the cell's names; torch's two biases become the cell's."""
    weight_hh = getattr(module, f"weight_hh{suffix}")
    weights = Weights(weight_ih=getattr(module, f"weight_ih{suffix}"), weight_hh=weight_hh)
    size = module.hidden_size
    if module.bias:
        first, second = getattr(module, f"bias_ih{suffix}"), getattr(module, f"bias_hh{suffix}")
    else:
        first = second = weight_hh.new_zeros(len(weight_hh))
    if module.mode != "GRU":
        weights["bias"] = first + second
        return weights
    weights["bias"] = torch.cat([first[: 2 * size] + second[: 2 * size], first[2 * size :]])
    weights["bias_hn"] = second[2 * size :]
    return weights
