"""The native kernels: a layer's whole sequence in one call, forward and backward, float32; what a
training step needs beside its layers, and a whole network that draws symbols.

Arrays in and out, of NumPy or of torch on the CPU, float32 and C-contiguous; nothing is allocated,
and the number of threads is an argument. `run_forward`, `run_backward`, `run_network_loss` and
`update` check nothing, and take torch's or addresses; the first two make x_gates and the weights'
gradients too where asked. No torch here, no autograd (that is `recurra.fused`). The C++ is in
`native/`; docs/kernels.md explains it.
"""

from __future__ import annotations

from recurra.kernels._available import InstructionSets, instruction_sets, names, why_missing
from recurra.kernels._kinds import Kind, kind
from recurra.kernels._layer import WEIGHTS, LayerSize, run_backward, run_forward
from recurra.kernels._math import exp, sigmoid, tanh
from recurra.kernels._network import NetworkArrays, NetworkSize, network_room, run_network_loss
from recurra.kernels._sampler import Sampler
from recurra.kernels._sequence import backward, forward
from recurra.kernels._step import NOT_COUNTED, nats, sum_rows
from recurra.kernels._tensors import all_in_place, all_plain, know_torch
from recurra.kernels._update import RULES, update

__all__ = [
    "NOT_COUNTED",
    "RULES",
    "WEIGHTS",
    "InstructionSets",
    "Kind",
    "LayerSize",
    "NetworkArrays",
    "NetworkSize",
    "Sampler",
    "all_in_place",
    "all_plain",
    "backward",
    "exp",
    "forward",
    "instruction_sets",
    "kind",
    "know_torch",
    "names",
    "nats",
    "network_room",
    "run_backward",
    "run_forward",
    "run_network_loss",
    "sigmoid",
    "sum_rows",
    "tanh",
    "update",
    "why_missing",
]
