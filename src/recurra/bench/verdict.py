"""What many random shapes say as a whole: how much a run scatters, which shapes fall below."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from recurra.bench.comparison import Row
from recurra.bench.layers import AGAIN, THEIRS

BAR = 0.95  # as fast as theirs, less the spread
SHARE = 95  # percent of the rows within the spread


def verdict(rows: Sequence[Row]) -> dict[str, Any]:
    """The run's spread, the bar less that, and the rows whose ratio is below, the lowest first.

    The spread is of torch against itself: what the medians of its second timing ÷ its first stay
    within, on either side of 1, in 95 % of the rows.
    """
    itself = [abs(_itself(row) - 1) for row in rows]
    spread = float(np.percentile(itself, SHARE))
    ratios = sorted((row.ratios[THEIRS].median, row.name) for row in rows)
    bar = BAR - spread
    return {
        "lowest_times_as_fast": ratios[0][0],
        "median_times_as_fast": float(np.median([ratio for ratio, _ in ratios])),
        "spread_of_the_run": spread,
        "bar": bar,
        "below_the_bar": [
            {"name": name, "times_as_fast": ratio} for ratio, name in ratios if ratio < bar
        ],
    }


def _itself(row: Row) -> float:
    """How many times as fast torch was as torch."""
    return row.ratios[AGAIN].median / row.ratios[THEIRS].median
