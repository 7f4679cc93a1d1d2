"""Re-ordering a state's rows."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recurra.decoding import take


class Pair(NamedTuple):
    hidden: NDArray[np.float32]
    cell: NDArray[np.float32]


def test_take_gives_the_rows_asked_for_in_that_order_in_every_array() -> None:
    state = (Pair(np.array([[1.0], [2.0]]), np.array([[3.0], [4.0]])), (np.array([5, 6]),))
    taken = take(state, [1, 1, 0])
    assert isinstance(taken[0], Pair)
    assert taken[0].hidden.tolist() == [[2.0], [2.0], [1.0]]
    assert taken[0].cell.tolist() == [[4.0], [4.0], [3.0]]
    assert taken[1][0].tolist() == [6, 6, 5]


def test_take_gives_copies_so_that_the_state_before_stays_as_it_was() -> None:
    state = (np.zeros((2, 3)),)
    take(state, [0, 1])[0][:] = 1.0
    assert not state[0].any()
