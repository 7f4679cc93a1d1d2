"""What native calls ask of torch's tensors: in C++, where a question takes 20 ns.

At one short sequence the same questions in Python were a tenth of a training step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from recurra.kernels._available import native

Tensor = Any  # torch's, which is not imported here


def know_torch(torch: Any) -> None:
    """Tells the native module what torch calls its own. Before that it takes no tensor for plain.

    From 2.10 on torch has a table of C functions for reading tensors; without it they are read by
    their attributes.
    """
    if native is not None:
        table = getattr(torch.Tensor, "__dlpack_c_exchange_api__", None)
        native.know_torch(torch.Tensor, torch.nn.Parameter, torch.float32, torch.int64, table)


def all_plain(*tensors: Tensor | None) -> bool:
    """Whether each is a tensor or parameter, no subclass, of float32 numbers that lie on the CPU
    as they are: with an address, and no sign elsewhere."""
    return native.all_plain(*tensors)  # type: ignore[no-any-return]


def all_in_place(tensors: Sequence[Tensor | None], indices: int) -> bool:
    """Whether each lies contiguous on the CPU, as it is: the first `indices` of int64, the others
    float32."""
    return native.all_in_place(tensors, indices)  # type: ignore[no-any-return]
