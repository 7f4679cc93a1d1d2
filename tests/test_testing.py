"""The laws catch what they are for: a cell with one thing wrong fails by the name of its law."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from recurra.arrays import Array, tanh
from recurra.cells import Cell, Parameter, Weights, uniform
from recurra.testing import LAWS, SIZES, assert_cell_laws


class SoundState(NamedTuple):
    """hidden (B, H)."""

    hidden: Array


class SoundCell(Cell[SoundState]):
    """h' = tanh(W_ih x + b + W_hh h): sound, and what each cell below spoils in one place."""

    gates = ("h",)
    State = SoundState

    def parameters(self, input_size: int, hidden_size: int) -> dict[str, Parameter]:
        return {
            "weight_ih": Parameter((hidden_size, input_size), uniform),
            "weight_hh": Parameter((hidden_size, hidden_size), uniform),
            "bias": Parameter((hidden_size,), uniform),
        }

    def step(self, x_gates: Array, state: SoundState, weights: Weights) -> tuple[Array, SoundState]:
        hidden = tanh(x_gates + state.hidden @ weights.weight_hh.T)
        return hidden, SoundState(hidden)


class StartsInAnotherShape(SoundCell):
    def parameters(self, input_size: int, hidden_size: int) -> dict[str, Parameter]:
        def flat(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
            return rng.normal(size=hidden_size * 2)

        return {**super().parameters(input_size, hidden_size), "bias": Parameter((3,), flat)}


class DrawsFromItself(SoundCell):
    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)

    def parameters(self, input_size: int, hidden_size: int) -> dict[str, Parameter]:
        own = Parameter((hidden_size,), lambda rng, shape: self.rng.normal(size=shape))
        return {**super().parameters(input_size, hidden_size), "bias": own}


class WritesInPlace(SoundCell):
    def step(self, x_gates: Array, state: SoundState, weights: Weights) -> tuple[Array, SoundState]:
        if isinstance(x_gates, np.ndarray):
            x_gates += 1
        return super().step(x_gates, state, weights)


class DiffersOnTorch(SoundCell):
    def step(self, x_gates: Array, state: SoundState, weights: Weights) -> tuple[Array, SoundState]:
        return super().step(x_gates + isinstance(x_gates, torch.Tensor), state, weights)


class MixesSteps(SoundCell):
    def condition(self, products: Array, weights: Weights) -> Array:
        if products.ndim == 3:
            products = products - products.mean(0)
        return products + weights.bias


class MixesSequences(SoundCell):
    def step(self, x_gates: Array, state: SoundState, weights: Weights) -> tuple[Array, SoundState]:
        return super().step(x_gates + x_gates.mean(0), state, weights)


class FavoursTheFirst(SoundCell):
    def step(self, x_gates: Array, state: SoundState, weights: Weights) -> tuple[Array, SoundState]:
        place: Array = np.arange(1.0, len(x_gates) + 1)[:, None]
        if isinstance(x_gates, torch.Tensor):
            place = torch.from_numpy(place)
        return super().step(x_gates * place, state, weights)


class RemembersOutsideItsState(SoundCell):
    """Looks at a clock of its own: only a cell whose state is all it knows can be cut in two."""

    clock = 0

    def step(self, x_gates: Array, state: SoundState, weights: Weights) -> tuple[Array, SoundState]:
        self.clock += 1
        return super().step(x_gates * (1 + self.clock % 2), state, weights)


class ProjectsOnItsOwn(SoundCell):
    def project(self, x: Array, weights: Weights) -> Array:
        return 2 * (x @ weights.weight_ih.T) + weights.bias  # `condition` does not know of the 2


class CutsTheGradient(SoundCell):
    def step(self, x_gates: Array, state: SoundState, weights: Weights) -> tuple[Array, SoundState]:
        if isinstance(x_gates, torch.Tensor):
            state = SoundState(state.hidden.detach())
        return super().step(x_gates, state, weights)


def test_a_sound_cell_of_a_users_own_passes() -> None:
    assert_cell_laws(SoundCell())


@pytest.mark.parametrize(
    ("kind", "law"),
    [
        (StartsInAnotherShape, "shapes_are_those_of_the_contract"),
        (DrawsFromItself, "the_same_seed_gives_the_same_weights"),
        (WritesInPlace, "a_step_leaves_its_arguments_as_they_were"),
        (DiffersOnTorch, "numpy_and_torch_agree"),
        (MixesSteps, "an_unrolled_stack_equals_the_loop_of_steps"),
        (MixesSequences, "a_padded_batch_equals_each_sequence_alone"),
        (ProjectsOnItsOwn, "one_hot_input_equals_rows_of_the_identity"),
        (CutsTheGradient, "gradients_equal_finite_differences"),
    ],
)
def test_a_cell_with_one_thing_wrong_breaks_the_law_against_it(kind: Any, law: str) -> None:
    pattern = f"{kind.__name__} breaks the law {law!r} at Sizes\\(seq_len="
    with pytest.raises(AssertionError, match=pattern):
        assert_cell_laws(kind())


@pytest.mark.parametrize(
    ("kind", "law"),
    [
        (RemembersOutsideItsState, "two_halves_equal_the_whole"),
        (FavoursTheFirst, "the_order_of_the_batch_does_not_matter"),
    ],
)
def test_a_fault_that_several_laws_catch_is_caught_by_its_own_too(kind: Any, law: str) -> None:
    (rule,) = (one for one in LAWS if one.__name__ == law)
    with pytest.raises(AssertionError, match=re.escape("Not equal to tolerance")):
        rule(kind(), SIZES[1])


def test_every_law_says_what_it_claims() -> None:
    assert all(law.__doc__ for law in LAWS)
