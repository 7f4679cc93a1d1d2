"""The converters between the lectures' axis orders."""

from __future__ import annotations

import numpy as np
import pytest

from recurra import textbook
from recurra.errors import ShapeError

N_X, M, T_X = 2, 3, 4
# one tensor, written three times by its definition: feature i of sequence b at step t is 100i+10b+t
NOTES = np.array(
    [[[100.0 * i + 10 * b + t for t in range(T_X)] for b in range(M)] for i in range(N_X)]
)
TIME_MAJOR = np.array(
    [[[100.0 * i + 10 * b + t for i in range(N_X)] for b in range(M)] for t in range(T_X)]
)
BATCH_FIRST = np.array(
    [[[100.0 * i + 10 * b + t for i in range(N_X)] for t in range(T_X)] for b in range(M)]
)
ORDERS = {"notes": NOTES, "time_major": TIME_MAJOR, "batch_first": BATCH_FIRST}
PAIRS = [(source, target) for source in ORDERS for target in ORDERS if source != target]


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_every_converter_moves_every_value_to_its_place(source: str, target: str) -> None:
    convert = getattr(textbook, f"{source}_to_{target}")
    np.testing.assert_array_equal(convert(ORDERS[source]), ORDERS[target])


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_every_converter_is_undone_by_its_opposite_without_a_copy(source: str, target: str) -> None:
    there = getattr(textbook, f"{source}_to_{target}")
    back = getattr(textbook, f"{target}_to_{source}")
    returned = back(there(ORDERS[source]))
    np.testing.assert_array_equal(returned, ORDERS[source])
    assert np.shares_memory(returned, ORDERS[source])


def test_an_array_of_two_axes_raises() -> None:
    with pytest.raises(ShapeError, match=r"x must have shape \(n_x, m, T_x\) but has \(2, 3\)"):
        textbook.notes_to_time_major(np.zeros((2, 3)))
    with pytest.raises(ShapeError, match=r"x must have shape \(B, T, I\) but has \(2, 3\)"):
        textbook.batch_first_to_notes(np.zeros((2, 3)))
