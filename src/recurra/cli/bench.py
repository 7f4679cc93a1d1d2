"""`bench`: how fast Recurra is here beside the programs it replaces, ratio first."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from recurra.cli.flags import flag, switch

if TYPE_CHECKING:
    from recurra.bench.comparison import Row

LOWEST = 5  # ratios shown again below random shapes


def bench(
    what: Annotated[str, flag("layers, training, sampling or textbook")],
    /,
    *,
    seconds: Annotated[float, flag("of timing for each row, after checks and warm-up")] = 5.0,
    threads: Annotated[
        int | None, flag("of torch and NumPy; none: theirs, but one for sampling")
    ] = None,
    only: Annotated[str, flag("the rows whose name has this text in it", free=True)] = "",
    random: Annotated[
        int | None, flag("layers: so many random shapes instead of the usual rows")
    ] = None,
    json_: Annotated[
        bool, switch("JSON instead: one object, the record of the run", name="--json")
    ] = False,
) -> int:
    """Measures speed beside the usual programs, which must compute the same."""
    _prepare_numpy(1 if what == "sampling" and threads is None else threads)
    from recurra.bench import record

    rows: list[Row] = []

    def told(row: Row) -> None:
        rows.append(row)
        if not json_:
            _show(row)

    if not json_:
        print("ratio (10th to 90th percentile): how many times as fast as theirs", flush=True)
    found = record.run(what, seconds=seconds, threads=threads, only=only, random=random, told=told)
    if json_:
        print(json.dumps(found, ensure_ascii=False))
        return 0
    if random is not None:
        _show_lowest(rows)
    facts = found["machine"]
    print(
        f"(medians of {min(row.rounds for row in rows)} rounds or more, {facts['threads']} threads "
        f"of torch {facts['torch']}, kernels {facts['kernels']}; load before: "
        f"{found['load_average_1_minute']}. Only ratios travel to other machines.)"
    )
    return 0


def _prepare_numpy(threads: int | None) -> None:
    """NumPy's threads, while it can still be told: it reads them when it is first imported."""
    if threads is not None and "numpy" not in sys.modules:
        os.environ["OPENBLAS_NUM_THREADS"] = str(threads)


def _show(row: Row) -> None:
    """A line for each of theirs."""
    ours, *theirs = row.seconds.items()
    percent = row.figures.get("percent_of_gemm")
    share = "" if percent is None else f"; {percent:.0f} % of the GEMM rate"
    for name, seconds in theirs:
        ratio = row.ratios[name]
        print(
            f"{ratio.median:7.2f} ({ratio.p10:.2f} to {ratio.p90:.2f})  {row.name}: "
            f"{_time(ours[1].median)} a {row.unit}, {name} {_time(seconds.median)}{share}",
            flush=True,
        )


def _show_lowest(rows: Sequence[Row]) -> None:
    lowest = sorted(
        (ratio.median, ratio.p90, name, row.name)
        for row in rows
        for name, ratio in row.ratios.items()
    )
    print("the lowest:")
    for median, p90, name, row_name in lowest[:LOWEST]:
        print(f"{median:7.2f} (90th percentile {p90:.2f})  {row_name}, {name}")


def _time(seconds: float) -> str:
    return f"{seconds * 1e3:.3g} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.3g} µs"
