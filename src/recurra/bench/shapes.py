"""The shapes at which layers are compared: those of the record, and random ones."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from recurra import rng

KINDS = {"RNN": 1, "LSTM": 4, "GRU": 3}  # torch.nn's layers, and the gates G of each
SHORTEST = 5  # of the sequences of a packed batch
LEAST_WORK = 10**6  # T·B·H² of a random shape
MOST_FLOP = 20e9  # of a training pass of a random shape
LIMITS = {"hidden": (8, 1024), "input": (8, 1024), "batch": (1, 256), "steps": (1, 512)}


@dataclass(frozen=True)
class Shape:
    """One layer and its input."""

    kind: str  # of KINDS
    hidden: int
    input: int
    batch: int
    steps: int
    train: bool  # forward and backward; else forward without gradients
    packed: bool = False  # sequences of SHORTEST to `steps` steps, as a PackedSequence

    @property
    def name(self) -> str:
        """The shape in words."""
        length = f"lengths {SHORTEST}-{self.steps} packed" if self.packed else f"T={self.steps}"
        what = "train" if self.train else "forward"
        return f"{what} {self.kind} H={self.hidden} I={self.input} B={self.batch} {length}"

    @property
    def lengths(self) -> list[int]:
        """The steps of each sequence, longest first: spread evenly over its range, where packed."""
        if not self.packed:
            return [self.steps] * self.batch
        return [int(each) for each in np.linspace(self.steps, SHORTEST, self.batch).round()]

    @property
    def flop(self) -> float:
        """Floating-point operations of the matrix products; a backward pass has two for one."""
        products = KINDS[self.kind] * self.hidden * (self.input + self.hidden)
        return 2.0 * sum(self.lengths) * products * (3 if self.train else 1)


RECORD = (
    Shape("RNN", 100, 65, 1, 25, train=True),
    Shape("RNN", 100, 65, 32, 25, train=True),
    Shape("GRU", 128, 128, 50, 50, train=True),
    Shape("LSTM", 128, 128, 50, 50, train=True),
    Shape("LSTM", 512, 512, 64, 64, train=True),
    Shape("LSTM", 128, 128, 50, 50, train=False),
    Shape("LSTM", 512, 512, 64, 64, train=False),
    Shape("LSTM", 256, 256, 64, 50, train=True, packed=True),
)


def random_shapes(count: int, seed: int) -> list[Shape]:
    """`count` shapes, the same for the same seed, sizes log-uniform, each for training and forward.

    The kinds take turns. T·B·H² is LEAST_WORK or more, a training pass MOST_FLOP or less.
    """
    generator = rng.generator(seed, "bench/shapes")
    found: list[Shape] = []
    while len(found) < 2 * count:
        kind = list(KINDS)[len(found) // 2 % len(KINDS)]
        hidden, size, batch, steps = (_log_uniform(generator, *each) for each in LIMITS.values())
        shape = Shape(kind, hidden, size, batch, steps, train=True)
        work = shape.steps * shape.batch * shape.hidden**2
        if work >= LEAST_WORK and shape.flop <= MOST_FLOP:
            found += [shape, replace(shape, train=False)]
    return found


def _log_uniform(generator: np.random.Generator, low: int, high: int) -> int:
    return round(float(np.exp(generator.uniform(np.log(low), np.log(high)))))
