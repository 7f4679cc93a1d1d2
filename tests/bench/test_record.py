"""A bench as a whole, on a case of its own that takes no time."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch

from recurra.bench import layers, record
from recurra.bench.comparison import GEMM, OURS, Case, Comparison, Row, measured
from recurra.bench.timing import Spread
from recurra.bench.verdict import verdict
from recurra.errors import ConfigError


class Told:
    """What a bench told its watcher, in order."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def surroundings(self, record: dict[str, Any]) -> None:
        self.seen.append("surroundings")

    def begun(self, number: int, count: int, name: str) -> None:
        self.seen.append((number, count, name))

    def row(self, row: Row) -> None:
        self.seen.append(row.name)


def comparison(**more: Any) -> Comparison:
    return Comparison(lambda: None, {"theirs": lambda: None}, "nothing: 0 apart", "pass", **more)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """`layers` with two cases that take no time."""
    found = [Case(name, lambda: comparison(flop=1e6)) for name in ("train A", "forward B")]
    monkeypatch.setattr(layers, "cases", lambda *_: found)
    monkeypatch.setattr(record, "GEMM_SECONDS", 0.001)


@pytest.mark.usefixtures("quick")
def test_a_record_names_units_machine_and_rows_and_is_json() -> None:
    found = json.loads(json.dumps(record.run("layers", Told(), seconds=0.001)))
    assert found["bench"] == "layers"
    assert {"threads", "cores", "kernels", "instructions", "torch", "numpy", "recurra", "dtype"} < (
        found.keys()
    )
    assert found["gemm_gflop_per_second"] > 0
    row = found["rows"][0]
    assert list(row)[:3] == ["name", "times_as_fast_as", "seconds_per_pass"]
    assert set(row["times_as_fast_as"]["theirs"]) == {"median", "quartile_1", "quartile_3"}
    assert row["seconds_per_pass"].keys() == {OURS, "theirs"}
    assert {"gflop_per_second", "gemm_gflop_per_second", "percent_of_gemm", "rounds", "same"} < (
        row.keys()
    )


@pytest.mark.usefixtures("quick")
def test_the_watcher_hears_where_then_each_row_begin_and_end() -> None:
    told = Told()
    record.run("layers", told, seconds=0.001)
    first, second = (1, 2, "train A"), (2, 2, "forward B")
    assert told.seen == ["surroundings", first, "train A", second, "forward B"]


@pytest.mark.usefixtures("quick")
def test_only_the_rows_asked_for_are_measured() -> None:
    found = record.run("layers", Told(), seconds=0.001, only="forward")
    assert [row["name"] for row in found["rows"]] == ["forward B"]


@pytest.mark.usefixtures("quick")
def test_torchs_threads_are_as_before_afterwards() -> None:
    before = torch.get_num_threads()
    found = record.run("layers", Told(), seconds=0.001, threads=before + 1)
    assert found["threads"] == before + 1
    assert torch.get_num_threads() == before


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"seconds": 0.0}, "seconds = 0.0: must be above 0 and at most 3600."),
        ({"threads": 0}, "threads = 0: must be 1 to 1024."),
        ({"random": 0}, "random = 0: must be 1 to 10,000."),
        ({"seed": 1}, "seed = 1: is of random shapes alone."),
        ({"random": 1, "seed": -1}, "seed = -1: must be 0 or more, below 2^63."),
        (
            {"only": "C"},
            "only = 'C': no row of layers has it in its name. Have: train A; forward B.",
        ),
    ],
)
def test_what_cannot_be_measured_is_refused(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        record.run("layers", Told(), **asked)
    assert str(caught.value) == message


def test_random_shapes_are_of_layers_alone() -> None:
    with pytest.raises(ConfigError, match="random = 3: only layers has random shapes"):
        record.run("training", Told(), random=3)


def test_a_row_is_per_unit_and_its_rates_follow_from_its_times() -> None:
    clock = Seconds()
    case = Case(
        "it",
        lambda: Comparison(
            clock.taking(2.0), {"theirs": clock.taking(6.0)}, "", "symbol", units=4, tokens=3
        ),
    )
    row = measured(case, 1.0, clock)
    assert row.ratios["theirs"].median == 3.0
    assert {name: one.median for name, one in row.seconds.items()} == {OURS: 0.5, "theirs": 1.5}
    assert row.tokens_per_second == {OURS: 6.0, "theirs": 2.0}


def test_the_share_of_gemm_is_of_the_rate_in_the_same_rounds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Seconds()
    monkeypatch.setattr("recurra.bench.comparison.gemm", lambda: clock.taking(1.0))
    monkeypatch.setattr("recurra.bench.comparison.GEMM_SIZE", 100)  # 2e6 FLOP a second
    case = Case("it", lambda: Comparison(clock.taking(2.0), {}, "", "pass", flop=1e6))
    row = measured(case, 1.0, clock)
    assert row.rates["percent_of_gemm"] == pytest.approx(25.0)  # 5e5 FLOP a second
    assert GEMM not in row.seconds


def test_the_verdict_takes_the_runs_own_spread_off_the_bar() -> None:
    def row(name: str, ratio: float, again: float) -> Row:
        ratios = {
            layers.THEIRS: Spread(ratio, ratio, ratio),
            layers.AGAIN: Spread(ratio * again, ratio, ratio),
        }
        return Row(name, "pass", "", 5, ratios, {}, {}, "", {})

    # Torch twice: 10 % apart in every row, so the bar is .95 - .10.
    found = verdict([row("a", 0.84, 1.1), row("b", 0.86, 0.9), row("c", 2.0, 1.1)])
    assert found["spread_of_the_run"] == pytest.approx(0.1)
    assert found["bar"] == pytest.approx(0.85)
    assert found["below_the_bar"] == [{"name": "a", "times_as_fast": 0.84}]
    assert (found["lowest_times_as_fast"], found["median_times_as_fast"]) == (0.84, 0.86)


class Seconds:
    """A clock that only the programs it makes move."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def taking(self, seconds: float) -> Any:
        def program() -> None:
            self.now += seconds

        return program
