"""`bench`: how fast Recurra is here beside the programs it replaces, ratio first.

Rows go to stdout, how far it is to stderr. What is measured is `recurra.bench`'s.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from recurra.cli.flags import flag, switch
from recurra.errors import ConfigError
from recurra.results import counted
from recurra.training.words import as_json

if TYPE_CHECKING:
    from recurra.bench.comparison import Row


def bench(
    what: Annotated[str, flag("layers, training, sampling or textbook")],
    /,
    *,
    seconds: Annotated[
        float | None,
        flag(
            "of timing for each row, after checks and warm-up; 5 if left out, for random shapes 2"
        ),
    ] = None,
    threads: Annotated[
        int | None,
        flag("of torch and the kernels; left out: as torch has them, for sampling and textbook 1"),
    ] = None,
    only: Annotated[str, flag("the rows whose name has this text in it", free=True)] = "",
    random: Annotated[
        int | None, flag("layers: so many random shapes, each in training and forward")
    ] = None,
    seed: Annotated[int | None, flag("of the random shapes; 0 if left out")] = None,
    record: Annotated[
        Path | None, flag("a file to make, which gets the JSON record of the run")
    ] = None,
    json_: Annotated[
        bool, switch("JSON instead: one object, the record of the run", name="--json")
    ] = False,
) -> int:
    """Measures speed here beside the usual programs, once they are known to compute the same."""
    if record is not None:
        _require_new(record)
    from recurra.bench.record import run

    found = run(
        what,
        Shown(quiet=json_),
        seconds=seconds,
        threads=threads,
        only=only,
        random=random,
        seed=seed,
    )
    if json_:
        print(as_json(found))
    elif random is not None:
        _show_verdict(found["verdict"])
    if record is not None:
        _write(record, json.dumps(found, ensure_ascii=False, indent=1) + "\n")
    return 0


class Shown:
    """Shows a bench as it goes; `quiet`: its rows will be JSON at the end."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._width = 0  # of the progress line that stands on the terminal

    def surroundings(self, record: Mapping[str, Any]) -> None:
        """Where it runs, in a line or two."""
        if self._quiet:
            return
        print(
            f"float32, {counted(record['threads'], 'thread')} on "
            f"{counted(record['cores'], 'core')}, kernels "
            f"{record['kernels']}, torch {record['torch']} ({record['instructions']}), GEMM "
            f"{record['gemm_gflop_per_second']:.0f} GFLOP/s; {record['seconds_per_row']:g} s "
            "a row, interleaved.\nThe ratio is the median over rounds, in brackets the quartiles.",
            flush=True,
        )

    def begun(self, number: int, count: int, name: str) -> None:
        """A progress line on stderr; on a terminal the next replaces it."""
        line = f"{number} of {count}: {name} …"
        if not sys.stderr.isatty():
            print(line, file=sys.stderr, flush=True)
            return
        self._clear()
        print(line, end="", file=sys.stderr, flush=True)
        self._width = len(line)

    def row(self, row: Row) -> None:
        """What a row came to, the ratio first."""
        self._clear()
        if not self._quiet:
            print("\n".join(_lines(row)), flush=True)

    def _clear(self) -> None:
        if self._width:
            print(f"\r{' ' * self._width}\r", end="", file=sys.stderr, flush=True)
            self._width = 0


def _lines(row: Row) -> list[str]:
    """A line with our time, and one below it for each of theirs after the first."""
    (_, ours), *theirs = row.seconds.items()
    lines: list[str] = []
    for name, seconds in theirs:
        ratio = row.ratios[name]
        quartiles = f"({_ratio(ratio.quartile_1)}-{_ratio(ratio.quartile_3)})"
        fast = f"{_ratio(ratio.median)}x as fast {quartiles}"
        own = "" if lines else f"  {row.name}: {_time(ours.median)} per {row.unit}{_more(row)};"
        lines.append(f"{fast:<30}{own}  {name} {_time(seconds.median)}")
    notes = [f"{row.rounds} rounds; {row.same}", *([row.left_out] if row.left_out else [])]
    return [*lines, *(f"{'':<30}  {note}" for note in notes)]


def _more(row: Row) -> str:
    """Tokens a second and the share of the GEMM rate, where the row has them."""
    parts = [f", {value:,.0f} tokens/s" for value in list(row.tokens_per_second.values())[:1]]
    if "percent_of_gemm" in row.rates:
        parts.append(f", {row.rates['percent_of_gemm']:.0f} % of GEMM")
    return "".join(parts)


def _show_verdict(verdict: Mapping[str, Any]) -> None:
    below = verdict["below_the_bar"]
    print(
        f"lowest {_ratio(verdict['lowest_times_as_fast'])}x, median "
        f"{_ratio(verdict['median_times_as_fast'])}x. torch against itself scatters by "
        f"{verdict['spread_of_the_run']:.3f} in this run, so the bar is {verdict['bar']:.3f}; "
        + (f"{len(below)} below it:" if below else "none is below it.")
    )
    for row in below:
        print(f"{_ratio(row['times_as_fast'])}x  {row['name']}")


def _ratio(value: float) -> str:
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"


def _time(seconds: float) -> str:
    return f"{seconds * 1e3:.3g} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.3g} µs"


def _require_new(path: Path) -> None:
    """ConfigError, before anything is measured, where the record could not be written."""
    if path.exists():
        raise ConfigError(f"--record {path} exists already: name a new file, or remove it.")
    if not path.absolute().parent.is_dir():
        raise ConfigError(f"--record {path}: there is no folder {path.parent}.")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--record {path} cannot be written: {error.strerror}.") from None
