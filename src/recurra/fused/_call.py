"""What a call of the node is beside its tensors, and how tensors become the kernels' addresses."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from recurra import kernels

EACH = 5  # tensors of a direction: weight_ih, weight_hh, bias, bias_hh, other
FLOAT = 4  # bytes


class Call(NamedTuple):
    """A layer's cell, sizes, directions and form of input."""

    kind: kernels.Kind
    batch: int
    hidden: int
    reverse: tuple[bool, ...]  # a direction each
    lengths: Tensor | None = None  # (B,) int64
    ids: Tensor | None = None  # (T, B) int64: the source is a table of x_gates
    batch_sizes: Tensor | None = None  # (T,) int64: the source is packed, (N, I)
    order: Tensor | None = None  # (B,) int64: where packed sequence b stands in the states
    batch_first: bool = False  # source and outputs are (B, T, …)
    stacked: bool = False  # the state's fields are (D, B, H), not (B, H)

    def sizes(self, source: Tensor) -> tuple[int, int]:
        """T and N, the number of tokens."""
        if self.batch_sizes is not None:
            return len(self.batch_sizes), len(source)
        if self.batch_first:
            steps = source.shape[1]
        else:
            steps = len(source if self.ids is None else self.ids)
        return steps, steps * self.batch

    def layout(self, steps: int, width: int) -> tuple[int, int]:
        """Floats from a step's row to the next step's, and from a sequence's to the next one's."""
        if self.batch_sizes is not None:
            return width, width
        return (width, steps * width) if self.batch_first else (self.batch * width, width)

    def empty(self, like: Tensor, steps: int, tokens: int, width: int) -> Tensor:
        """Room for rows of that width in the source's form."""
        if self.batch_sizes is not None:
            return like.new_empty((tokens, width))
        if self.batch_first:
            return like.new_empty((self.batch, steps, width))
        return like.new_empty((steps, self.batch, width))


def address(tensor: Tensor | None, offset: int = 0) -> int:
    """Where a tensor's numbers begin, `offset` of them later; 0 for none."""
    return 0 if tensor is None else tensor.data_ptr() + offset * FLOAT
