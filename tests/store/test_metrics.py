"""metrics.jsonl: lines are appended, cut back and read, whatever a kill left of them."""

from __future__ import annotations

import math
from pathlib import Path

from recurra import store


def test_metrics_are_appended_cut_and_read(tmp_path: Path) -> None:
    store.append_metrics(tmp_path, {"kind": "train", "step": 1})
    size = store.metrics_size(tmp_path)
    store.append_metrics(tmp_path, {"kind": "sample", "text": "zwölf\n"})
    assert [record["kind"] for record in store.read_metrics(tmp_path)] == ["train", "sample"]
    store.cut_metrics(tmp_path, size)
    assert store.read_metrics(tmp_path) == [{"kind": "train", "step": 1}]


def test_a_line_that_a_kill_cut_off_is_left_out(tmp_path: Path) -> None:
    store.append_metrics(tmp_path, {"step": 1})
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 2')
    assert store.read_metrics(tmp_path) == [{"step": 1}]
    store.cut_metrics(tmp_path, 10**6)  # shorter than it should be: whole lines stay
    assert (tmp_path / "metrics.jsonl").read_text() == '{"step": 1}\n'


def test_a_damaged_line_is_an_empty_record_and_costs_no_other(tmp_path: Path) -> None:
    lines = [b'{"step": 1}', b'{"st', b"[]", b'{"x": NaN}', b'{"x": "\\ud800"}', b'{"step": 2}']
    (tmp_path / "metrics.jsonl").write_bytes(b"\n".join(lines) + b"\n")
    assert store.read_metrics(tmp_path) == [{"step": 1}, {}, {}, {}, {}, {"step": 2}]


def test_cutting_forgets_the_line_that_it_would_leave_in_two(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text('{"step": 1}\n{"step": 2}\n')
    store.cut_metrics(tmp_path, 15)
    store.append_metrics(tmp_path, {"step": 3})
    assert store.read_metrics(tmp_path) == [{"step": 1}, {"step": 3}]


def test_a_number_that_is_not_finite_is_null_in_the_metrics(tmp_path: Path) -> None:
    store.append_metrics(tmp_path, {"a": math.nan, "b": math.inf, "c": -math.inf, "d": 1.5})
    assert (
        tmp_path / "metrics.jsonl"
    ).read_text() == '{"a": null, "b": null, "c": null, "d": 1.5}\n'
