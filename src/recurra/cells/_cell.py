"""What a cell is: its parameters, its initial state and one step, over arrays of either library.

A public file beside this one *is* a cell. No loop over time here (that is the stack's, in
`layers/` on torch and `runtime/` on NumPy), no torch, and no training.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from recurra.arrays import Array, zeros

S = TypeVar("S", bound=tuple[Any, ...])
Initial = Callable[[np.random.Generator, tuple[int, ...]], NDArray[np.float64]]


class Parameter(NamedTuple):
    """One weight of a cell: its shape, and the rule that draws its initial value."""

    shape: tuple[int, ...]
    initial: Initial


class Weights(dict[str, Array]):
    """A cell's weights by name, read as attributes: `weights.weight_hh`."""

    def __getattr__(self, name: str) -> Array:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


class Cell(ABC, Generic[S]):
    """One recurrent cell, without weights: an instance is its equations and nothing else.

    T steps, B sequences, I input_size, H hidden_size, G gates. Every weight matrix maps from its
    last axis to its first, gates stacked along the first: weight_ih (G·H, I), weight_hh (G·H, H),
    as torch has them; a gate whose product reads something other than h has a matrix of its own.
    Torch's two biases are one here, except one inside the recurrence.
    """

    gates: ClassVar[tuple[str, ...]]  # in the order in which weights stack them
    State: ClassVar[type[Any]]  # a NamedTuple of (B, H) arrays; the first field is `hidden`

    @property
    def name(self) -> str:
        """The name of the cell's file, by which configs call it."""
        return type(self).__module__.rpartition(".")[2]

    @abstractmethod
    def parameters(self, input_size: int, hidden_size: int) -> dict[str, Parameter]:
        """Every weight by name; must hold weight_ih (G·H, I) and weight_hh."""

    def initial_state(self, batch: int, hidden_size: int, like: Array) -> S:
        """The zero state, each field (B, H), of the type and on the device of `like`."""
        shape = (batch, hidden_size)
        return self.State(*(zeros(shape, like) for _ in self.State._fields))  # type: ignore[no-any-return]

    def project(self, x: Array, weights: Weights) -> Array:
        """x_gates (..., G·H) of inputs x (..., I), for any number of steps at once."""
        return self.condition(x @ weights.weight_ih.T, weights)

    def condition(self, products: Array, weights: Weights) -> Array:
        """x_gates from the products W_ih x: adds the bias; a cell may normalise here.

        Split from `project` because for one-hot input the products are rows of W_ihᵀ: no GEMM.
        """
        return products + weights.bias

    @abstractmethod
    def step(self, x_gates: Array, state: S, weights: Weights) -> tuple[Array, S]:
        """(output (B, H), next state) from x_gates (B, G·H) and the state before."""


def uniform(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """U(−1/√n, 1/√n), n the last axis: sums of n unit-variance inputs start at variance 1/3."""
    bound = shape[-1] ** -0.5
    return rng.uniform(-bound, bound, shape)


def orthogonal(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """For each H×H gate block a random orthogonal matrix (saxe2014), Haar-distributed."""
    rows, size = shape
    blocks = []
    for _ in range(rows // size):
        q, r = np.linalg.qr(rng.standard_normal((size, size)))
        blocks.append(q * np.sign(np.diag(r)))
    return np.concatenate(blocks)


def constant(value: float) -> Initial:
    """Every element `value`."""
    return lambda rng, shape: np.full(shape, value)


def gate_bias(gates: tuple[str, ...], values: Mapping[str, float]) -> Initial:
    """A bias (G·H,) that is `values[gate]` in the gates named there and 0 in the others."""

    def initial(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
        per_gate = [values.get(gate, 0.0) for gate in gates]
        return np.repeat(np.array(per_gate), shape[0] // len(gates))

    return initial
