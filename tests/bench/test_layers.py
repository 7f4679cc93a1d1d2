"""Layers beside torch's: what is compared, at which shapes, and that a wrong layer is refused."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from recurra.bench.layers import AGAIN, PLAIN, THEIRS, Pass, case, cases
from recurra.bench.shapes import LEAST_WORK, LIMITS, MOST_FLOP, Shape, random_shapes
from recurra.errors import DisagreementError

SMALL = [
    Shape("RNN", 5, 3, 2, 4, train=True),
    Shape("GRU", 5, 3, 2, 4, train=False),
    Shape("LSTM", 5, 3, 2, 6, train=True, packed=True),
]


class Wrong(torch.nn.LSTM):
    """An LSTM whose output is a thousandth too large, and with it the gradients."""

    def forward(self, input: Any, hx: Any = None) -> Any:
        output, state = super().forward(input, hx)
        return output * 1.001, state


class WrongBackward(torch.nn.LSTM):
    """An LSTM whose output is right and whose gradients are a thousandth too large."""

    def forward(self, input: Any, hx: Any = None) -> Any:
        output, state = super().forward(input, hx)
        return output.detach() * -0.001 + output * 1.001, state


@pytest.mark.parametrize("shape", SMALL, ids=lambda shape: shape.name)
def test_our_layer_is_torchs_before_it_is_timed(shape: Shape) -> None:
    built = case(shape, (THEIRS, PLAIN)).build()
    assert list(built.theirs) == [THEIRS, PLAIN]
    assert built.same.startswith("output and gradients" if shape.train else "output:")
    assert built.same.endswith("at most 0.0001")


@pytest.mark.parametrize(
    ("layer", "train", "result"),
    [(Wrong, False, "output"), (WrongBackward, True, "gradient of input")],
)
def test_a_layer_that_computes_something_else_is_refused(
    layer: type[torch.nn.LSTM], train: bool, result: str
) -> None:
    shape = Shape("LSTM", 5, 3, 2, 4, train=train)
    with pytest.raises(DisagreementError, match=f"not timed: {result} of shapes"):
        case(shape, (THEIRS,), SimpleNamespace(LSTM=layer)).build()


def test_without_onednn_means_that_it_is_off_during_the_pass_and_on_after_it() -> None:
    seen: list[Any] = []
    built = case(Shape("RNN", 5, 3, 2, 4, train=False), (THEIRS, PLAIN)).build()
    theirs: Any = built.theirs[THEIRS]
    theirs._layer.register_forward_hook(lambda *_: seen.append(torch.backends.mkldnn.enabled))
    built.theirs[THEIRS]()
    built.theirs[PLAIN]()
    assert seen == [True, False]
    assert torch.backends.mkldnn.enabled


def test_the_products_of_a_training_pass_are_counted_as_by_hand() -> None:
    # LSTM, 2 sequences of 3 steps: 4 gates x H=5 rows of I + H = 7 products each; 2 FLOP; 3 passes
    assert Shape("LSTM", 5, 2, 2, 3, train=True).flop == 2 * (2 * 3) * 4 * 5 * 7 * 3


def test_packed_sequences_have_lengths_over_the_whole_range_longest_first() -> None:
    lengths = Shape("LSTM", 8, 8, 64, 50, train=True, packed=True).lengths
    assert (lengths[0], lengths[-1], len(lengths)) == (50, 5, 64)
    assert lengths == sorted(lengths, reverse=True)


def test_random_shapes_obey_their_limits_and_come_in_training_and_forward() -> None:
    shapes = random_shapes(60, seed=3)
    assert len(shapes) == 120
    for shape in shapes:
        for name, (low, high) in LIMITS.items():
            assert low <= getattr(shape, name) <= high
        assert shape.steps * shape.batch * shape.hidden**2 >= LEAST_WORK
        assert shape.flop <= MOST_FLOP
    assert [shape.train for shape in shapes[:2]] == [True, False]
    assert {shape.kind for shape in shapes} == {"RNN", "LSTM", "GRU"}


def test_a_seed_gives_the_same_shapes_and_another_seed_others() -> None:
    assert random_shapes(5, seed=1) == random_shapes(5, seed=1)
    assert random_shapes(5, seed=1) != random_shapes(5, seed=2)


def test_half_of_the_random_sizes_are_below_the_geometric_mean_of_their_limits() -> None:
    # Inputs, which the limits on the work hardly favour; 300 draws stray by 3 % (one sigma).
    sizes = [shape.input for shape in random_shapes(300, seed=0)]
    assert math.isclose(sum(size < math.sqrt(8 * 1024) for size in sizes) / 600, 0.5, abs_tol=0.1)


def test_a_random_shape_is_timed_against_torch_twice() -> None:
    built = [one.name for one in cases(2, 0)]
    assert len(built) == 4
    small = case(SMALL[0], (THEIRS, AGAIN)).build()
    first, again = (small.theirs[name] for name in (THEIRS, AGAIN))
    assert isinstance(first, Pass)
    assert isinstance(again, Pass)
    first()
    again()
    for name, value in first.results().items():
        assert (value == again.results()[name]).all(), name
