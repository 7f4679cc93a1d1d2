"""The packed network's draws: its filters by `decoding`, the one rule of `rng`, ties and edges."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from recurra import kernels
from recurra.decoding.filters import Filters, normalised, without
from recurra.rng import draw

pytestmark = pytest.mark.skipif(
    kernels.why_missing() is not None, reason=f"no native kernels: {kernels.why_missing()}"
)

Floats = NDArray[np.float32]
F64 = NDArray[np.float64]


def of_logits(logits: Floats) -> kernels.Sampler:
    """A Sampler whose logits are these, whatever was fed."""
    symbols = len(logits)
    zeros = {"weight_hh": np.zeros((1, 1), np.float32)}
    table, projection = np.zeros((symbols, 1), np.float32), np.zeros((symbols, 1), np.float32)
    return kernels.Sampler("rnn", [zeros], projection, logits, table=table)


def ids_of(logits: Floats, uniforms: F64, never: tuple[int, ...] = (), **filters: Any) -> Any:
    state = ((np.zeros((1, 1), np.float32),),)
    drawn = of_logits(logits).draw(
        np.zeros(1, np.int64), state, uniforms[:, None], never=never, **filters
    )
    wanted = normalised(logits.astype(np.float64))
    np.testing.assert_allclose(drawn.nats[:, 0], -wanted[drawn.ids[:, 0]], rtol=1e-12, atol=1e-14)
    return drawn.ids[:, 0]


FILTERS: list[dict[str, Any]] = [
    {},
    {"temperature": 0.0},
    {"temperature": 0.3},
    {"temperature": 2.5},
    {"temperature": 1e-3},
    {"top_k": 1},
    {"top_k": 5},
    {"top_k": 10**30},
    {"top_p": 0.9},
    {"top_p": 0.01},
    {"top_p": 1.0},
    {"temperature": 0.7, "top_k": 7, "top_p": 0.8},
]


@pytest.mark.parametrize("asked", FILTERS, ids=str)
@pytest.mark.parametrize("symbols", [1, 2, 15, 16, 17, 65, 1000])
def test_a_draw_is_the_one_rule_over_the_filtered_probabilities(
    symbols: int, asked: dict[str, Any]
) -> None:
    rng = np.random.default_rng(symbols)
    uniforms = rng.random(200)
    for scale in (0.0, 1.0, 40.0):  # all equal; usual; nearly sure
        logits = (scale * rng.normal(size=symbols)).astype(np.float32)
        logits[symbols // 2 :] = logits[: symbols - symbols // 2]  # ties
        for never in ((), (0,), (symbols - 1, symbols // 2)):
            if len(set(never)) >= symbols:
                continue
            log_probs = normalised(logits.astype(np.float64))
            allowed = without(log_probs, never) if never else log_probs
            probabilities = Filters(**asked).probabilities(allowed)
            expected = [draw(probabilities, uniform) for uniform in uniforms]
            assert ids_of(logits, uniforms, never, **asked).tolist() == expected


def test_the_ends_of_the_uniforms_draw_the_first_and_the_last_that_may_come() -> None:
    ends = np.array([0.0, 1 - 2.0**-53])
    logits = np.array([-1e4, 0, 1, 0, -1e4], np.float32)
    assert ids_of(logits, ends).tolist() == [1, 3]
    assert ids_of(logits, ends, never=(1, 3)).tolist() == [2, 2]
    assert ids_of(np.zeros(5, np.float32), ends, never=(0, 4)).tolist() == [1, 3]


def test_the_first_of_equals_is_the_likeliest() -> None:
    logits = np.array([1, 3, 3, 2, 3], np.float32)
    uniforms = np.array([0.999])
    assert ids_of(logits, uniforms, temperature=0.0).tolist() == [1]
    assert ids_of(logits, uniforms, top_k=2).tolist() == [2]
    assert ids_of(logits, uniforms, never=(1, 2), temperature=0.0).tolist() == [4]


def test_what_is_not_drawn_may_be_far_likelier_than_the_rest() -> None:
    logits = np.array([5000, 0, 1, 2], np.float32)
    drawn = ids_of(logits, np.array([0.05, 0.2, 0.9]), never=(0,))
    assert drawn.tolist() == [1, 2, 3]  # shares of e^0, e^1, e^2: up to 0.090, 0.335, 1


def test_nan_in_a_network_draws_some_symbol_and_reads_nothing_outside() -> None:
    for asked in FILTERS:
        logits = np.array([0, np.nan, 1, np.inf], np.float32)
        state = ((np.zeros((1, 1), np.float32),),)
        drawn = of_logits(logits).draw(np.zeros(1, np.int64), state, np.full((9, 1), 0.5), **asked)
        assert ((drawn.ids >= 0) & (drawn.ids < 4)).all()
