"""Drawing sequences from a step."""

from __future__ import annotations

from typing import Any

import numpy as np

from recurra import rng
from recurra.decoding import Filters, sequences
from recurra.decoding.sample import draw_rows


def generators(count: int) -> list[np.random.Generator]:
    return [rng.generator(7, str(index)) for index in range(count)]


def drawn(trigram: Any, first: list[int], **asked: Any) -> list[list[int]]:
    """The ids of each row."""
    log_probs, state = trigram.start(first)
    settings = {"length": 20, "filters": Filters(), "generators": generators(len(first)), **asked}
    rows: list[list[int]] = [[] for _ in first]
    for one in sequences(trigram, log_probs, state, **settings):
        rows[one.row] += one.ids
    return rows


def test_a_symbol_comes_as_often_as_its_probability_says() -> None:
    p = np.array([0.1, 0.5, 0.0, 0.4])
    draws = 20_000
    with np.errstate(divide="ignore"):
        log_probs = np.log(np.tile(p, (draws, 1)))
    ids = draw_rows(log_probs, Filters(), [rng.generator(0, "test")] * draws)
    counts = np.bincount(ids, minlength=4)
    assert counts[2] == 0
    # 4 standard deviations of a binomial count; the seed is fixed, so this never flickers.
    assert np.all(np.abs(counts - draws * p) <= 4 * np.sqrt(draws * p * (1 - p)))


def test_a_draw_is_the_inverse_of_the_cumulative_sum_at_the_uniform() -> None:
    p = np.array([0.1, 0.5, 0.15, 0.25])
    uniform = rng.generator(3, "test").random()
    expected = next(index for index in range(4) if sum(p[: index + 1]) > uniform)
    assert draw_rows(np.log(p)[None], Filters(), [rng.generator(3, "test")]).tolist() == [expected]


def test_temperature_zero_follows_the_most_probable_symbol(trigram: Any) -> None:
    a, b, expected = 0, 2, []
    for _ in range(20):
        a, b = b, int(trigram.table[a, b].argmax())
        expected.append(b)
    assert drawn(trigram, [2], filters=Filters(temperature=0)) == [expected]


def test_nats_are_those_of_the_unfiltered_model(trigram: Any) -> None:
    log_probs, state = trigram.start([1])
    filters = Filters(temperature=0.3, top_k=2)
    one = list(
        sequences(trigram, log_probs, state, length=9, filters=filters, generators=generators(1))
    )
    total = sum(nats for step in one for nats in step.nats)
    # The same float64 sum of nine terms in another order.
    assert abs(total - trigram.nats(1, tuple(index for step in one for index in step.ids))) < 1e-12


def test_a_row_draws_the_same_whatever_stands_beside_it(trigram: Any) -> None:
    together = drawn(trigram, [1, 2, 3])
    assert drawn(trigram, [1]) == together[:1]
    assert drawn(trigram, [1, 2]) == together[:2]


def test_an_ended_row_draws_no_more_and_changes_no_other(trigram: Any) -> None:
    together = drawn(trigram, [1, 2, 3])
    left = {0: 20, 1: 3, 2: 1}

    def ended(row: int) -> bool:
        left[row] -= 1
        return left[row] == 0

    trigram.rows.clear()
    cut = drawn(trigram, [1, 2, 3], ended=ended)
    assert cut == [together[0], together[1][:3], together[2][:1]]
    assert trigram.rows == [2, 2, *[1] * 17]  # what ended is not computed any more


def test_symbols_that_must_never_come_never_come(trigram: Any) -> None:
    (ids,) = drawn(trigram, [0], length=500, never=(1, 3))
    assert set(ids) == {0, 2}


def test_the_step_is_not_taken_after_the_last_symbol(trigram: Any) -> None:
    drawn(trigram, [0], length=1)
    assert trigram.rows == []
    assert drawn(trigram, [0, 1], length=0) == [[], []]
