"""Learning rates against values worked by hand, and budgets."""

from __future__ import annotations

import math

import pytest

from recurra.training.budget import Budget
from recurra.training.schedules import cosine, exponential, rate
from recurra.training.settings import Training


def _rate(schedule: str, *, share: float = 0.5, epoch: float = 0.0, drops: int = 0) -> float:
    training = Training(
        schedule=schedule, learning_rate=8.0, warmup=0.2, final_rate=0.1, decay=0.5, decay_after=2.0
    )
    return rate(training, share, epoch, drops)


def test_the_constant_rate_is_the_rate() -> None:
    assert [_rate("constant", share=share) for share in (0.0, 0.1, 1.0)] == [8.0, 8.0, 8.0]


@pytest.mark.parametrize(
    ("epoch", "expected"),
    [(0, 8), (1.99, 8), (2, 4), (2.99, 4), (3, 2), (5.5, 0.5)],
)
def test_the_exponential_rate_halves_at_every_epoch_from_the_second(
    epoch: float, expected: float
) -> None:
    assert _rate("exponential", epoch=epoch) == expected
    assert exponential(8.0, epoch, 0.5, 2.0) == expected


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (0.05, 2.0),  # a quarter of the rise
        (0.1, 4.0),
        (0.2, 8.0),  # the top
        (0.4, 0.8 + 7.2 * (1 + math.sqrt(0.5)) / 2),  # a quarter of the way down: cos 45°
        (0.6, 4.4),  # half way between 8 and 0.8
        (0.8, 0.8 + 7.2 * (1 - math.sqrt(0.5)) / 2),
        (1.0, 0.8),
    ],
)
def test_the_cosine_rises_straight_and_falls_to_the_final_share(
    share: float, expected: float
) -> None:
    assert _rate("cosine", share=share) == pytest.approx(expected, rel=1e-12)  # float64 rounding


def test_the_cosine_without_warmup_starts_at_the_top() -> None:
    assert cosine(8.0, 0.0, 0.0, 0.1) == 8.0


def test_the_plateau_rate_halves_with_every_drop() -> None:
    assert [_rate("plateau", drops=drops) for drops in (0, 1, 3)] == [8.0, 4.0, 1.0]


def test_a_budget_in_steps_is_spent_by_steps_alone() -> None:
    budget = Budget.of(Training(steps=40), steps_per_epoch=7)
    assert [budget.share(step, 1e9) for step in (0, 10, 40, 50)] == [0.0, 0.25, 1.0, 1.0]
    assert budget.eta_seconds(10, 5.0) == 15.0
    assert budget.eta_seconds(0, 0.0) == math.inf


def test_a_budget_in_epochs_counts_accumulated_batches() -> None:
    assert Budget.of(Training(epochs=2.5), steps_per_epoch=10).steps == 25
    assert Budget.of(Training(epochs=2.5, accumulate=4), steps_per_epoch=10).steps == 7  # 6.25
    assert Budget.of(Training(epochs=0.01), steps_per_epoch=10).steps == 1


def test_a_budget_in_minutes_follows_the_clock_and_is_three_where_none_is_given() -> None:
    budget = Budget.of(Training(minutes=2), steps_per_epoch=7)
    assert budget.share(10**9, 30.0) == 0.25
    assert budget.eta_seconds(3, 30.0) == 90.0
    assert Budget.of(Training(), steps_per_epoch=7) == Budget(seconds=180.0)
