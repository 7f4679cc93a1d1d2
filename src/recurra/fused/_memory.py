"""Memory of backward passes that are done, for the forward passes that come.

A layer of 512 units keeps 40 MB for its backward pass. torch gives memory of that size back to the
system, which hands it out again page by page, filled with zeros: a tenth of a training step.
"""

from __future__ import annotations

from threading import Lock

from torch import Tensor

SMALLEST = 2**18  # floats, 1 MB: smaller pieces do not go back to the system
MOST = 2**26  # floats, 256 MB: what is held at most


class Spare:
    """Buffers that nobody reads any more, the oldest first."""

    def __init__(self) -> None:
        self._buffers: list[Tensor] = []
        self._lock = Lock()

    def take(self, like: Tensor, rows: int, width: int) -> Tensor:
        """Room for (rows, width) numbers, whatever they are: a spare buffer's, or new."""
        size = rows * width
        if size >= SMALLEST:
            with self._lock:
                for index, one in enumerate(self._buffers):
                    if size <= one.numel() <= 2 * size:
                        return self._buffers.pop(index)[:size].view(rows, width)
        return like.new_empty((rows, width))

    def give(self, tensor: Tensor) -> None:
        """Takes over memory that came from `take`, all of it; the caller reads it no more."""
        whole = tensor.new_empty(0).set_(tensor.untyped_storage())
        # what inference mode has touched cannot be saved for a backward pass
        if not SMALLEST <= whole.numel() <= MOST or whole.is_inference():
            return
        with self._lock:
            self._buffers.append(whole)
            held = sum(one.numel() for one in self._buffers)
            while held > MOST:
                held -= self._buffers.pop(0).numel()


spare = Spare()
