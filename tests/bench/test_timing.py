"""Programs in turn, on a clock that only they move."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from itertools import pairwise

import pytest

from recurra.bench.timing import LEAST_ROUNDS, WARM_UPS, interleaved, order, spread, times_as_fast


class Clock:
    """Time that passes only while a program of `taking` runs."""

    def __init__(self) -> None:
        self.now = 0.0
        self.order = ""

    def __call__(self) -> float:
        return self.now

    def taking(self, name: str, seconds: float) -> Callable[[], None]:
        def program() -> None:
            self.order += name
            self.now += seconds

        return program


def test_a_ratio_is_theirs_over_ours_of_the_same_round() -> None:
    # ratios 4, 1 and 2 by hand; the ratio of the medians would be 4
    assert times_as_fast([4.0, 4.0, 16.0], [1.0, 4.0, 8.0]).median == 2.0


def test_a_spread_is_the_median_and_the_quartiles() -> None:
    assert spread([5.0, 1.0, 4.0, 2.0, 3.0]) == (3.0, 2.0, 4.0)


def test_programs_take_turns_and_each_has_one_a_round() -> None:
    clock = Clock()
    programs = {name: clock.taking(name, 1.0) for name in "ab"}
    interleaved(programs, 1.0, clock=clock)
    warm_up = "".join(name * WARM_UPS for name in "ab")
    assert clock.order == warm_up + 2 * "aabbbbaabbaaaabb"  # one does not count


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_over_all_orders_each_program_stands_everywhere_and_follows_each_other_alike(
    count: int,
) -> None:
    orders = [order(number, count) for number in range(2 * count)]
    places = Counter((place, one) for each in orders for place, one in enumerate(each))
    assert set(places.values()) == {2}
    assert len(places) == count**2
    follows = Counter(pair for each in orders for pair in pairwise(each))
    assert set(follows.values()) <= {2}
    assert len(follows) == count * (count - 1)


def test_what_was_called_to_warm_up_does_not_count() -> None:
    clock = Clock()
    times = interleaved({"a": clock.taking("a", 1.0)}, 1.0, clock=clock)
    assert times == {"a": [1.0] * LEAST_ROUNDS}
    assert len(clock.order) == WARM_UPS + 2 * LEAST_ROUNDS


def test_rounds_go_on_until_the_seconds_are_over() -> None:
    clock = Clock()
    programs = {"a": clock.taking("a", 1.0), "b": clock.taking("b", 3.0)}
    times = interleaved(programs, 80.0, clock=clock)
    assert [len(each) for each in times.values()] == [10, 10]


def test_a_short_program_is_called_until_its_block_is_full_and_its_time_is_of_one_call() -> None:
    clock = Clock()
    programs = {"a": clock.taking("a", 0.125), "b": clock.taking("b", 2.0)}
    times = interleaved(programs, 1.0, block_seconds=1.0, clock=clock)
    assert times["a"] == pytest.approx([0.125] * LEAST_ROUNDS)
    block = "a" * (1 + 8)  # one that does not count, and eight to fill a second
    assert clock.order.removeprefix("a" * WARM_UPS + "b" * WARM_UPS).startswith(block + "b")
