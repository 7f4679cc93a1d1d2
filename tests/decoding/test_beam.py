"""Beam search against enumeration of every sequence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from recurra.decoding import Filters, Hypothesis, beam_search, sequences
from recurra.errors import ConfigError

CLOSE = 1e-12  # float64 sums of at most six terms


def search(trigram: Any, first: list[int], **asked: Any) -> list[list[Hypothesis]]:
    log_probs, state = trigram.start(first)
    return beam_search(trigram, log_probs, state, **asked)


@pytest.mark.parametrize("stop_id", [None, 3])
def test_a_beam_as_wide_as_all_beginnings_finds_the_best_sequences_there_are(
    trigram: Any, stop_id: int | None
) -> None:
    (found,) = search(trigram, [1], width=64, length=4, stop_id=stop_id, n_best=10)
    expected = trigram.all_sequences(1, 4, stop_id)[:10]
    assert [one.ids for one in found] == [ids for _, ids in expected]
    assert np.allclose([one.nats for one in found], [nats for nats, _ in expected], atol=CLOSE)


def test_width_one_is_greedy(trigram: Any) -> None:
    log_probs, state = trigram.start([2])
    greedy = sequences(
        trigram,
        log_probs,
        state,
        length=12,
        filters=Filters(temperature=0),
        generators=[np.random.default_rng(0)],
    )
    ((found,),) = search(trigram, [2], width=1, length=12)
    assert found.ids == tuple(index for one in greedy for index in one.ids)


@pytest.mark.parametrize("width", [1, 2, 3, 5])
def test_nats_are_those_of_the_sequence(trigram: Any, width: int) -> None:
    (found,) = search(trigram, [1], width=width, length=6, stop_id=0, n_best=width)
    for one in found:
        assert one.nats == pytest.approx(trigram.nats(1, one.ids), abs=CLOSE)
    assert [one.nats for one in found] == sorted(one.nats for one in found)
    assert len({one.ids for one in found}) == len(found)


def test_each_start_of_a_batch_finds_what_it_finds_alone(trigram: Any) -> None:
    asked = {"width": 3, "length": 5, "stop_id": 3, "n_best": 3}
    together = search(trigram, [0, 1, 2], **asked)
    assert together == [search(trigram, [first], **asked)[0] for first in (0, 1, 2)]


def test_a_wider_beam_looks_past_a_first_symbol_that_looks_best() -> None:
    # p(0) = 0.6, then 0.5 and 0.5; p(1) = 0.4, then 1: 0.4 beats 0.3.
    after = np.log(np.array([[0.5, 0.5], [1e-300, 1.0]]))

    def step(ids: Any, state: Any) -> Any:
        return after[ids], state

    log_probs, state = np.log(np.array([[0.6, 0.4]])), (np.zeros((1, 1)),)
    ((greedy,),) = beam_search(step, log_probs, state, width=1, length=2)
    ((best,),) = beam_search(step, log_probs, state, width=2, length=2)
    assert (greedy.ids, best.ids) == ((0, 0), (1, 1))
    assert best.nats == pytest.approx(-np.log(0.4), abs=CLOSE)


def test_a_hypothesis_that_stopped_stays_and_the_search_ends_when_all_have() -> None:
    asked: list[int] = []

    def step(ids: Any, state: Any) -> Any:
        asked.append(len(ids))
        return np.log(np.tile([0.1, 0.9], (len(ids), 1))), state  # 1 is the stop

    start = np.log(np.array([[0.3, 0.7]]))
    (found,) = beam_search(
        step, start, (np.zeros((1, 1)),), width=2, length=99, stop_id=1, n_best=2
    )
    assert [one.ids for one in found] == [(1,), (0, 1)]
    assert [one.nats for one in found] == pytest.approx([-np.log(0.7), -np.log(0.27)], abs=CLOSE)
    assert len(asked) == 1


def test_no_length_finds_the_empty_sequence(trigram: Any) -> None:
    assert search(trigram, [0], width=2, length=0, n_best=2) == [[Hypothesis((), 0.0)]]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"width": 0, "length": 1}, "width = 0: must be 1 to 1,000"),
        ({"width": 1001, "length": 1}, "width = 1001: must be 1 to 1,000"),
        ({"width": 1, "length": -1}, "length = -1: must not be negative"),
        ({"width": 2, "length": 1, "n_best": 3}, "n_best = 3: must be 1 to the width, 2"),
    ],
)
def test_what_cannot_be_asked_is_named(trigram: Any, asked: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        search(trigram, [0], **asked)
    assert message in str(caught.value)
