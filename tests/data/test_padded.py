"""Padded batches: each example once a pass, at its own values, and the walk goes on exactly."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.data.padded import (
    POOL,
    STEPS_AT_ONCE,
    Padded,
    PaddedBatches,
    Rows,
    batches_by_length,
    pad,
)
from recurra.errors import DataError, RunError
from recurra.rng import Streams

lengths_and_batch = st.tuples(
    st.lists(st.integers(1, 40), min_size=1, max_size=200), st.integers(1, 9)
)


def walk(lengths: Any, batch: int, seed: int = 0) -> PaddedBatches[Rows]:
    """A walk whose batches are the numbers of their examples."""
    return PaddedBatches(lengths, batch, Streams(seed).order, lambda rows: rows)


@settings(max_examples=50, deadline=None)
@given(shape=lengths_and_batch)
def test_every_pass_has_each_example_once(shape: tuple[list[int], int]) -> None:
    lengths, batch = shape
    batches = walk(lengths, batch)
    for _ in range(3):
        rows = np.concatenate([batches.next() for _ in range(batches.steps_per_epoch)])
        assert Counter(rows.tolist()) == Counter(range(len(lengths)))


@settings(max_examples=50, deadline=None)
@given(shape=lengths_and_batch, done=st.integers(0, 40))
def test_a_restored_walk_goes_on_as_if_it_had_not_stopped(
    shape: tuple[list[int], int], done: int
) -> None:
    lengths, batch = shape
    whole = walk(lengths, batch)
    for _ in range(done):
        whole.next()
    state = json.loads(json.dumps(whole.state()))  # as it is kept in a file
    again = walk(lengths, batch)
    again.restore(state)
    for _ in range(2 * whole.steps_per_epoch + 1):
        assert np.array_equal(whole.next(), again.next())


def test_passes_and_seeds_differ_in_their_order() -> None:
    batches, other = walk(range(1, 100), 5), walk(range(1, 100), 5, seed=1)
    first = [batches.next().tolist() for _ in range(batches.steps_per_epoch)]
    second = [batches.next().tolist() for _ in range(batches.steps_per_epoch)]
    assert first != second
    assert first != [other.next().tolist() for _ in range(other.steps_per_epoch)]


def test_sequences_of_about_one_length_stand_together_yet_the_batches_are_in_no_order() -> None:
    lengths = np.random.default_rng(0).integers(1, 101, 64 * POOL * 4)
    batches = walk(lengths, 64)
    found = [lengths[batches.next()] for _ in range(batches.steps_per_epoch)]
    padded = sum(int(one.max()) * len(one) for one in found)
    assert padded / lengths.sum() < 1.1  # unsorted batches of 64 would have about 1.95
    longest = [int(one.max()) for one in found]
    assert any(a > b for a, b in itertools.pairwise(longest))


def test_in_pools_of_one_batch_lengths_are_mixed() -> None:
    lengths = np.random.default_rng(0).integers(1, 101, 64 * 64)
    batches = PaddedBatches(lengths, 64, Streams(0).order, lambda rows: lengths[rows], pool=1)
    means = [float(batches.next().mean()) for _ in range(64)]
    # the mean of 64 lengths has a standard deviation of 28.9 / 8 = 3.6; that of 64 of them is
    # known to 9 %, and five times that is allowed
    assert np.std(means) == pytest.approx(3.6, rel=0.45)


def test_a_batch_of_long_sequences_is_smaller_and_the_longest_stands_alone() -> None:
    lengths = [STEPS_AT_ONCE // 2] * 5 + [3 * STEPS_AT_ONCE] + [1] * 8
    sizes = [lengths[int(rows[0])] * len(rows) for rows in batches_by_length(lengths, 4)]
    assert sizes == [4, 4, STEPS_AT_ONCE, STEPS_AT_ONCE, STEPS_AT_ONCE // 2, 3 * STEPS_AT_ONCE]


@given(shape=lengths_and_batch)
def test_batches_by_length_are_the_shortest_first_and_all(shape: tuple[list[int], int]) -> None:
    lengths, batch = shape
    found = batches_by_length(lengths, batch)
    assert [lengths[row] for rows in found for row in rows] == sorted(lengths)
    assert max(map(len, found)) <= batch


def test_padding_is_zeros_behind_each_sequence_and_the_mask_says_what_is_real() -> None:
    ids = pad([np.array([7, 8, 9], np.uint8), np.array([5], np.uint8)])
    assert ids.values.tolist() == [[7, 5], [8, 0], [9, 0]]
    assert ids.values.dtype == np.int64
    assert ids.lengths.tolist() == [3, 1]
    assert ids.mask.tolist() == [[True, True], [True, False], [True, False]]


def test_vectors_are_padded_with_vectors_of_zeros() -> None:
    vectors: Padded = pad([np.ones((1, 2), np.float32), np.full((2, 2), 3, np.float32)])
    assert vectors.values.tolist() == [[[1, 1], [3, 3]], [[0, 0], [3, 3]]]  # (T, B, I)
    assert vectors.values.dtype == np.float32


@pytest.mark.parametrize(
    ("lengths", "message"),
    [([], "there is no example to learn from"), ([3, 0], "example 1 has no step: leave it out")],
)
def test_no_example_and_an_empty_one_are_refused(lengths: list[int], message: str) -> None:
    with pytest.raises(DataError, match=message):
        walk(lengths, 2)


def test_sequences_of_different_width_are_refused() -> None:
    with pytest.raises(DataError, match=r"sequence 1 has steps of shape \(3,\), the first \(2,\)"):
        pad([np.zeros((4, 2)), np.zeros((4, 3))])
    with pytest.raises(DataError, match="no sequence to pad"):
        pad([])


@pytest.mark.parametrize("at", [-1, 3, True, 1.0, None])
def test_a_position_that_is_not_in_the_data_is_refused(at: object) -> None:
    batches = walk([1, 2, 3, 4], 2)
    with pytest.raises(RunError, match=r"at = .* is not in 0 to 2"):
        batches.restore({**batches.state(), "at": at})


def test_a_position_without_its_generator_is_refused() -> None:
    with pytest.raises(RunError, match="lacks its generator's state"):
        walk([1, 2], 2).restore({"at": 0})
