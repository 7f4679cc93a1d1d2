"""The forward pass of the node: addresses for the native call, and what it must keep."""

from __future__ import annotations

import torch
from torch import Tensor

from recurra import kernels
from recurra.fused._call import EACH, FLOAT, Call, address
from recurra.fused._memory import spare


class Pass:
    """A forward pass: its results, and what the backward pass needs of it.

    Gates and `extra` are kept where the pass is for training and the cell has them; the backward
    pass puts the gates' gradients in their place.
    """

    def __init__(self, call: Call, training: bool, tensors: tuple[Tensor | None, ...]) -> None:
        """Runs it; tensors as in `run`."""
        source, self.h0, self.c0, *weights = (
            None if one is None else one.contiguous() for one in tensors
        )
        assert source is not None
        self.call, self.source, self.weights = call, source, weights
        self.addresses = [0 if one is None else one.data_ptr() for one in weights]
        self.threads = torch.get_num_threads()
        self.steps, self.tokens = call.sizes(source)
        directions = len(call.reverse)
        self.outputs = call.empty(source, self.steps, self.tokens, directions * call.hidden)
        shape: tuple[int, ...] = (call.batch, call.hidden)
        if call.stacked:
            shape = (directions, *shape)
        self.final = [source.new_empty(shape) for _ in range(call.kind.fields)]
        self.gates: list[Tensor | None] = []  # (N, G·H) a direction
        self.extra: list[Tensor | None] = []  # (N, H) a direction
        self.shapes: list[kernels.Shape] = []
        work: list[kernels.Shape | kernels.Forward] = []
        for index in range(directions):
            self._keep(training)
            self.shapes.append(self._shape(index))
            work += self.shapes[-1], self._own(index)
        kernels.run_forward(*work)

    def _keep(self, training: bool) -> None:
        """Makes room for a direction's gates and extra."""
        kind, hidden = self.call.kind, self.call.hidden
        gates = extra = None
        if training and kind.keeps_gates:
            gates = spare.take(self.source, self.tokens, kind.gates * hidden)
            extra = spare.take(self.source, self.tokens, hidden)
        self.gates.append(gates)
        self.extra.append(extra)

    def _shape(self, index: int) -> kernels.Shape:
        call, hidden = self.call, self.call.hidden
        weight_ih, weight_hh, _, _, other = self.addresses[EACH * index : EACH * (index + 1)]
        size = self.source.shape[-1] if weight_ih else 0
        return kernels.Shape(
            call.kind.code,
            self.steps,
            call.batch,
            hidden,
            address(call.lengths),
            address(call.batch_sizes),
            address(call.order),
            call.reverse[index],
            self.threads,
            weight_hh,
            other if call.kind.other == "weight_hn" else 0,
            size,
            address(self.source) if weight_ih else 0,
            *call.layout(self.steps, size),
            weight_ih,
            address(self.h0, index * call.batch * hidden),
            address(self.c0, index * call.batch * hidden),
            *call.layout(self.steps, len(call.reverse) * hidden),
            0 if call.batch_sizes is None else self.tokens,
        )

    def _own(self, index: int) -> kernels.Forward:
        call, hidden = self.call, self.call.hidden
        weight_ih, _, bias, bias_hh, other = self.addresses[EACH * index : EACH * (index + 1)]
        state = index * call.batch * hidden
        bias_hn = 0
        if call.kind.other == "bias_hn":
            bias_hn = other or (bias_hh and bias_hh + 2 * hidden * FLOAT)
        return kernels.Forward(
            0 if weight_ih else address(self.source),
            address(call.ids),
            0 if call.ids is None else len(self.source),
            bias,
            bias_hh,
            bias_hn,
            address(self.outputs, index * hidden),
            address(self.final[0], state),
            address(self.final[1], state) if call.kind.fields == 2 else 0,
            address(self.gates[index]),
            address(self.extra[index]),
        )
