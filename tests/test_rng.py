"""Streams of random numbers, and the one rule by which a symbol is drawn."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest

from recurra.rng import Streams, draw, generator


def test_drawing_from_one_stream_never_moves_another() -> None:
    first, second = Streams(3), Streams(3)
    first.sample.random(1000)
    assert first.order.random() == second.order.random()
    assert first.init.random() == second.init.random()


def test_seeds_and_purposes_give_different_numbers() -> None:
    numbers = {generator(s, p).random() for s in (0, 1) for p in ("init", "order", "sample")}
    assert len(numbers) == 6


def test_a_generator_is_philox_keyed_by_the_first_half_of_a_sha256() -> None:
    for seed, purpose in ((0, "sample/0"), (2**70, "init"), (-3, "")):
        digest = hashlib.sha256(f"recurra/{seed}/{purpose}".encode()).digest()
        philox = np.random.Philox(key=int.from_bytes(digest[:16], "little"))
        expected = np.random.Generator(philox).random(9).tolist()
        assert generator(seed, purpose).random(9).tolist() == expected


def test_a_restored_state_draws_what_the_saved_one_would_have() -> None:
    streams = Streams(5)
    streams.order.random(7)
    streams.order.integers(0, 9, dtype=np.uint32)  # leaves half a word in the buffer
    saved = json.loads(json.dumps(streams.state()))
    expected = streams.order.random(5).tolist()
    other = Streams(6)
    other.restore(saved)
    assert other.order.random(5).tolist() == expected


def test_a_step_seed_depends_on_the_step_alone_and_fits_torch() -> None:
    streams = Streams(1)
    before = streams.step_seed("dropout", 9)
    streams.order.random(100)
    assert streams.step_seed("dropout", 9) == before
    assert streams.step_seed("dropout", 10) != before
    assert 0 <= before < 2**63


@pytest.mark.parametrize(
    ("uniform", "index"), [(0.0, 1), (0.24, 1), (0.25, 3), (0.5, 3), (0.999, 3)]
)
def test_draw_is_the_inverse_cdf_in_id_order(uniform: float, index: int) -> None:
    assert draw(np.array([0.0, 1.0, 0.0, 3.0, 0.0]), uniform) == index  # unnormalised, by hand


def test_draw_never_gives_a_symbol_of_probability_zero() -> None:
    just_under_one = float(np.nextafter(1.0, 0.0))
    assert draw(np.array([0.3, 0.3, 0.4, 0.0]), just_under_one) == 2
    assert draw(np.array([0.0, 0.1]), 0.0) == 1


@pytest.mark.parametrize("position", [-1, 5])
def test_a_state_that_points_outside_its_buffer_is_refused(position: int) -> None:
    streams = Streams(0)
    saved = streams.state()
    saved["order"]["buffer_pos"] = position
    with pytest.raises(ValueError, match="buffer_pos"):
        streams.restore(saved)
