"""Shares drawn by a seed: every example in one part, classes cut alike, nothing lost."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.data.holdout import LEARNED_FROM, Held, by_seed, part_to_evaluate
from recurra.errors import ConfigError, DataError

TENTHS = (0.8, 0.1, 0.1)


def parts(held: Held) -> list[list[int]]:
    return [held.train.tolist(), held.valid.tolist(), held.test.tolist()]


@settings(max_examples=100, deadline=None)
@given(
    classes=st.lists(st.integers(0, 6), min_size=1, max_size=150),
    shares=st.sampled_from([TENTHS, (0.8, 0.0, 0.2), (0.5, 0.1, 0.4), (1.0, 0.0, 0.0)]),
    seed=st.integers(0, 2**31),
)
def test_every_example_is_in_one_part_and_every_class_is_learned(
    classes: list[int], shares: tuple[float, float, float], seed: int
) -> None:
    held = by_seed(len(classes), shares, seed, classes)
    assert sorted(row for part in parts(held) for row in part) == list(range(len(classes)))
    assert {classes[row] for row in held.train} == set(classes)


def test_without_classes_the_borders_are_rounded_down() -> None:
    held = by_seed(32_033, TENTHS, 0)  # .8 of it is 25,626.4 and .9 is 28,829.7
    assert [len(part) for part in parts(held)] == [25_626, 3_203, 3_204]


@pytest.mark.parametrize("shares", [TENTHS, (0.8, 0.0, 0.2)])
def test_each_class_is_cut_by_the_same_shares(shares: tuple[float, float, float]) -> None:
    sizes = {"a": 1000, "b": 335, "c": 41, "d": 7}
    classes = [name for name, size in sizes.items() for _ in range(size)]
    held = by_seed(len(classes), shares, 0, classes)
    for share, part in zip(shares, parts(held), strict=True):
        counted = Counter(classes[row] for row in part)
        assert abs(len(part) - share * len(classes)) <= 1
        for name, size in sizes.items():
            assert abs(counted[name] - share * size) <= 1


def test_the_seed_alone_decides() -> None:
    assert parts(by_seed(50, TENTHS, 3)) == parts(by_seed(50, TENTHS, 3))
    assert parts(by_seed(50, TENTHS, 3)) != parts(by_seed(50, TENTHS, 4))


def test_the_parts_are_drawn_from_everywhere() -> None:
    held = by_seed(10_000, TENTHS, 0)
    for part in (held.train, held.valid, held.test):
        # a mean of n uniform numbers has standard error 2887/√n; five of those of the smallest
        assert abs(float(np.mean(part)) - 4999.5) < 5 * 2887 / 1000**0.5


def test_what_cannot_be_held_out_is_said() -> None:
    held = by_seed(4, TENTHS, 0, ["a", "a", "a", "b"])
    assert 3 in held.train
    assert any("1 class has too few examples" in note for note in held.notes)
    assert by_seed(1, TENTHS, 0).train.tolist() == [0]
    assert "no validation part" in by_seed(1, TENTHS, 0).notes[0]


def test_the_share_of_a_part_in_a_file_of_its_own_is_learned_from() -> None:
    sizes = {
        (): [80, 10, 10],
        ("test",): [90, 10, 0],
        ("valid",): [90, 0, 10],
        ("valid", "test"): [100, 0, 0],
    }
    for elsewhere, expected in sizes.items():
        held = by_seed(100, TENTHS, 0, elsewhere=elsewhere)
        assert [len(part) for part in parts(held)] == expected
        assert held.notes == ()


def test_shares_that_are_none_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"three shares, train above 0, that add up to 1"):
        by_seed(10, (0.8, 0.1, 0.2), 0)
    with pytest.raises(ConfigError, match=r"split = \(0.0, 0.5, 0.5\)"):
        by_seed(10, (0.0, 0.5, 0.5), 0)


def test_no_example_is_refused() -> None:
    with pytest.raises(DataError, match="there is no example to split"):
        by_seed(0, TENTHS, 0)


def test_auto_is_test_else_valid_else_the_training_part_with_a_note() -> None:
    assert part_to_evaluate("auto", ["train", "valid", "test"]) == ("test", ())
    assert part_to_evaluate("auto", ["train", "valid"]) == ("valid", ())
    assert part_to_evaluate("auto", ["train"]) == ("train", (LEARNED_FROM,))
    # who asks for a part by its name knows which it is
    for named in ("train", "valid", "all"):
        assert part_to_evaluate(named, ["train"]) == (named, ())
