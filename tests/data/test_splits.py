"""Which part of a text is learned from and which is held out."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.data.splits import MIN_HELD_OUT, by_files, by_fractions, shares
from recurra.errors import ConfigError


def ids(count: int) -> np.ndarray[tuple[int], np.dtype[np.uint16]]:
    return np.arange(count).astype(np.uint16)


def test_tinyshakespeare_is_cut_where_the_published_figures_cut_it() -> None:
    parts = by_fractions(np.zeros(1_115_394, np.uint8), (0.9, 0.1, 0.0))
    assert parts.valid is not None
    assert (len(parts.train), len(parts.valid), parts.test) == (1_003_854, 111_540, None)
    assert parts.notes == ()


@given(total=st.integers(2000, 10_000), tenths=st.integers(1, 8))
def test_the_parts_are_contiguous_and_each_border_is_rounded_down(total: int, tenths: int) -> None:
    tokens = ids(total)
    parts = by_fractions(tokens, (tenths / 10, 0.1, (9 - tenths) / 10))
    assert parts.valid is not None
    assert parts.test is not None
    assert len(parts.train) == floor(Fraction(tenths, 10) * total)
    assert len(parts.train) + len(parts.valid) == floor(Fraction(tenths + 1, 10) * total)
    assert np.concatenate([parts.train, parts.valid, parts.test]).tolist() == tokens.tolist()


def test_the_default_is_ninety_five_and_five() -> None:
    parts = by_fractions(ids(10_000))
    assert parts.valid is not None
    assert parts.test is not None
    assert [len(part) for part in (parts.train, parts.valid, parts.test)] == [9000, 500, 500]


def test_parts_are_views_so_that_a_mapped_file_is_not_copied() -> None:
    tokens = ids(10_000)
    parts = by_fractions(tokens)
    assert parts.valid is not None
    assert np.shares_memory(parts.train, tokens)
    assert np.shares_memory(parts.valid, tokens)


def test_under_a_hundred_tokens_nothing_is_held_out_and_a_note_says_so() -> None:
    parts = by_fractions(ids(1999))  # the validation part would have 100, the test part 100
    assert parts.valid is not None
    parts = by_fractions(ids(1980))  # 99
    assert (len(parts.train), parts.valid, parts.test) == (1980, None, None)
    (note,) = parts.notes
    assert note.startswith("the text has only 1,980 tokens: nothing is held out, and the last ")


def test_hello_trains_on_all_of_itself() -> None:
    parts = by_fractions(ids(5))
    assert (len(parts.train), parts.valid, parts.test) == (5, None, None)


def test_holding_nothing_out_on_purpose_is_said_too() -> None:
    parts = by_fractions(ids(5000), (1.0, 0.0, 0.0))
    assert (len(parts.train), parts.valid, parts.test) == (5000, None, None)
    assert parts.notes[0].startswith("no validation part: nothing is held out")


def test_a_test_part_alone_can_be_held_out() -> None:
    parts = by_fractions(ids(5000), (0.9, 0.0, 0.1))
    assert parts.valid is None
    assert parts.test is not None
    assert (len(parts.train), len(parts.test)) == (4500, 500)


@pytest.mark.parametrize(
    "fractions", [(0.9, 0.05, 0.06), (1.1, -0.1, 0.0), (0.0, 0.5, 0.5), (0.5, 0.1, 0.1)]
)
def test_fractions_that_are_no_split_are_refused(fractions: tuple[float, float, float]) -> None:
    with pytest.raises(ConfigError, match=r"split = \(.*\): must be three fractions"):
        by_fractions(ids(5000), fractions)


def test_parts_in_files_of_their_own_stay_as_they_are() -> None:
    parts = by_files(ids(500), ids(MIN_HELD_OUT), ids(200))
    assert parts.valid is not None
    assert parts.test is not None
    assert (len(parts.train), len(parts.valid), len(parts.test)) == (500, 100, 200)
    assert parts.notes == ()


def test_a_held_out_file_of_under_a_hundred_tokens_is_not_used_and_a_note_says_so() -> None:
    parts = by_files(ids(500), ids(99), None)
    assert (parts.valid, parts.test) == (None, None)
    assert parts.notes[0].startswith("the validation file has only 99 tokens, of 100 needed")
    assert parts.notes[1].startswith("no validation part: nothing is held out")


def test_shares_of_more_than_the_whole_are_told_with_their_sum() -> None:
    assert shares(0.7, 0.1) == (0.7, 0.1, 0.2)
    assert shares(0.9, 0.1) == (0.9, 0.1, 0.0)
    with pytest.raises(ConfigError) as caught:
        shares(0.9, 0.2)
    assert str(caught.value) == (
        "valid_fraction = 0.2: and train_fraction = 0.9 are 1.1 together, more than the whole."
    )
