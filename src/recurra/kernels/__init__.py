"""The native kernels: a layer's whole sequence in one call, forward and backward, float32; what a
training step needs beside its layers, and a whole network that draws symbols.

Arrays in and out, of NumPy or of torch on the CPU, float32 and C-contiguous; nothing is allocated,
and the number of threads is an argument. No torch here, no autograd (that is `recurra.fused`), no
GEMM over all steps: the caller makes x_gates before, and weight gradients after. The C++ is in
`native/`; docs/kernels.md explains it.
"""

from __future__ import annotations

from recurra.kernels._available import InstructionSets, instruction_sets, names, why_missing
from recurra.kernels._kinds import Kind, kind
from recurra.kernels._math import exp, sigmoid, tanh
from recurra.kernels._sampler import Sampler
from recurra.kernels._sequence import backward, forward
from recurra.kernels._step import NOT_COUNTED, nats, sum_rows

__all__ = [
    "NOT_COUNTED",
    "InstructionSets",
    "Kind",
    "Sampler",
    "backward",
    "exp",
    "forward",
    "instruction_sets",
    "kind",
    "names",
    "nats",
    "sigmoid",
    "sum_rows",
    "tanh",
    "why_missing",
]
