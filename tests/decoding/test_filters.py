"""Filters against values worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from recurra.decoding import Filters
from recurra.decoding.filters import largest, normalised, tempered, top_k, top_p, without
from recurra.errors import ConfigError

P = np.array([0.1, 0.5, 0.15, 0.25])
LOG_P = np.log(P)
CLOSE = 1e-14  # a few roundings of float64


def test_temperature_one_changes_nothing() -> None:
    assert_allclose(np.exp(tempered(LOG_P, 1.0)), P, rtol=CLOSE)


def test_temperature_one_half_squares_the_probabilities() -> None:
    squares = np.array([0.01, 0.25, 0.0225, 0.0625])
    assert_allclose(np.exp(tempered(LOG_P, 0.5)), squares / 0.345, rtol=CLOSE)


def test_temperature_zero_leaves_the_most_probable_symbol_alone() -> None:
    assert np.exp(tempered(LOG_P, 0.0)).tolist() == [0.0, 1.0, 0.0, 0.0]


def test_temperature_zero_takes_the_lowest_id_of_equals() -> None:
    assert np.exp(tempered(np.log([0.2, 0.4, 0.4]), 0.0)).tolist() == [0.0, 1.0, 0.0]


def test_a_temperature_near_zero_does_not_overflow() -> None:
    assert np.exp(tempered(LOG_P, 1e-310)).tolist() == [0.0, 1.0, 0.0, 0.0]


def test_a_high_temperature_makes_all_symbols_alike() -> None:
    # Off by |ln p| / T, which is below 3e-9 here.
    assert_allclose(np.exp(tempered(LOG_P, 1e9)), [0.25] * 4, rtol=3e-9)


def test_top_k_keeps_the_k_most_probable_in_proportion() -> None:
    assert_allclose(np.exp(top_k(LOG_P, 2)), [0, 0.5 / 0.75, 0, 0.25 / 0.75], rtol=CLOSE)


def test_top_k_of_more_than_there_are_keeps_all() -> None:
    assert_allclose(np.exp(top_k(LOG_P, 9)), P, rtol=CLOSE)


def test_top_k_keeps_the_lowest_ids_of_equals() -> None:
    equal = np.log([0.25, 0.25, 0.25, 0.25])
    assert_allclose(np.exp(top_k(equal, 3)), [1 / 3, 1 / 3, 1 / 3, 0], rtol=CLOSE)


@pytest.mark.parametrize(
    ("p", "kept"),
    [
        (0.3, [1]),
        (0.5, [1]),  # exactly reached
        (0.51, [1, 3]),
        (0.75, [1, 3]),
        (0.9, [1, 2, 3]),  # 0.5 + 0.25 + 0.15 rounds to just below 0.9
        (0.95, [0, 1, 2, 3]),
        (1.0, [0, 1, 2, 3]),
    ],
)
def test_top_p_keeps_the_fewest_symbols_that_hold_the_share(p: float, kept: list[int]) -> None:
    probabilities = np.exp(top_p(LOG_P, p))
    expected = np.where(np.isin(np.arange(4), kept), P, 0)
    assert_allclose(probabilities, expected / expected.sum(), rtol=CLOSE)


def test_without_gives_the_rest_in_proportion() -> None:
    assert_allclose(np.exp(without(LOG_P, (1,))), [0.2, 0, 0.3, 0.5], rtol=CLOSE)


def test_top_p_counts_the_share_of_what_temperature_and_top_k_left() -> None:
    # Squares 1, 25, 2.25, 6.25 in hundredths; the three largest sum to 33.5, and 25 / 33.5 = 0.746.
    only_one = Filters(temperature=0.5, top_k=3, top_p=0.74).probabilities(LOG_P)
    two = Filters(temperature=0.5, top_k=3, top_p=0.75).probabilities(LOG_P)
    assert only_one.tolist() == [0.0, 1.0, 0.0, 0.0]
    assert_allclose(two, [0, 25 / 31.25, 0, 6.25 / 31.25], rtol=CLOSE)


def test_no_filter_gives_the_probabilities_themselves() -> None:
    assert_allclose(Filters().probabilities(LOG_P), P, rtol=CLOSE)


def test_filters_work_on_each_row_alone() -> None:
    rows = normalised(np.random.default_rng(0).standard_normal((5, 11)))
    filters = Filters(temperature=0.7, top_k=6, top_p=0.8)
    together = filters.probabilities(rows)
    for row, expected in zip(together, rows, strict=True):
        assert_allclose(row, filters.probabilities(expected), rtol=CLOSE)


@given(
    st.lists(st.sampled_from([-np.inf, -2.0, -1.0, 0.0, 1.0]), min_size=1, max_size=12),
    st.integers(1, 14),
)
def test_largest_is_the_front_of_a_stable_sort(values: list[float], k: int) -> None:
    front = sorted(range(len(values)), key=lambda index: -values[index])[:k]
    assert np.flatnonzero(largest(np.array(values), k)).tolist() == sorted(front)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"temperature": -0.5}, "temperature = -0.5: must be 0 (always the most probable) or more"),
        ({"temperature": float("nan")}, "temperature = nan"),
        ({"temperature": float("inf")}, "temperature = inf"),
        ({"top_k": 0}, "top_k = 0: must be 1 or more"),
        ({"top_p": 0.0}, "top_p = 0.0: must be in (0, 1]"),
        ({"top_p": 1.5}, "top_p = 1.5: must be in (0, 1]"),
    ],
)
def test_a_setting_that_cannot_be_is_named_with_its_value(
    settings: dict[str, float], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        Filters(**settings)  # type: ignore[arg-type]
    assert message in str(caught.value)
