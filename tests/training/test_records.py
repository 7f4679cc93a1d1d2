"""metrics.jsonl with lines that are none of ours: a run goes on, and card and curve do without."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from recurra import store
from recurra.training import records
from recurra.training.settings import Training
from tests.training.parity_task import Config, fit
from tests.training.sessions import Kill, Stops

CONFIG = Config(
    training=Training(
        steps=12, batch_size=8, learning_rate=0.02, validate_every=5, sample_every=8, save_every=1e6
    )
)

RESULT = {
    "kind": "result",
    "reason": "budget",
    "steps": 5,
    "tokens": 40,
    "best_step": 5,
    "epoch": 1.5,
    "seconds": 2.0,
    "figures": {"accuracy": 0.5},
}

UNUSABLE = [
    b'{"kind": "tra',
    b"\xff\xfe",
    b"[]",
    b"",
    b'{"step": 1}',
    b'{"kind": ["train"], "step": 1, "smooth_nats": 1.0}',
    b'{"kind": "guess", "step": 1}',
    b'{"kind": "train", "step": "1", "smooth_nats": 1.0}',
    b'{"kind": "train", "step": 1}',
    b'{"kind": "train", "step": 1, "smooth_nats": null}',
    b'{"kind": "train", "step": 1, "smooth_nats": NaN}',
    b'{"kind": "train", "step": 1, "smooth_nats": 1e999}',
    b'{"kind": "train", "step": -1, "smooth_nats": 1.0}',
    b'{"kind": "validation", "step": 1, "score": "low"}',
    b'{"kind": "sample", "step": 1, "text": 3}',
    b'{"kind": "sample", "step": 1, "text": "\\ud800"}',
    json.dumps({**RESULT, "figures": {"accuracy": None}}).encode(),
    json.dumps({**RESULT, "epoch": "one"}).encode(),
    b'{"kind": "result"}',
]


@pytest.mark.parametrize("line", UNUSABLE)
def test_a_line_that_is_no_record_is_left_out_and_noted_once(tmp_path: Path, line: bytes) -> None:
    good = b'{"kind": "train", "step": 3, "smooth_nats": 2.5}\n'
    (tmp_path / store.METRICS).write_bytes(good + line + b"\n" + line + b"\n" + good)
    watcher = Stops(-1)
    found = records.read(tmp_path, watcher)
    assert [record["step"] for record in found.train] == [3, 3]
    assert found.validation == found.sample == found.result == []
    assert watcher.notes == [
        "metrics.jsonl: 2 of its lines cannot be used, the first is line 2; card and curve leave "
        "them out."
    ]


def test_our_own_records_are_all_used(tmp_path: Path) -> None:
    watcher = Stops(-1)
    fit(tmp_path / "run", CONFIG)
    found = records.read(tmp_path / "run", watcher)
    assert [record["step"] for record in found.train] == list(range(1, 13))
    assert [record["step"] for record in found.validation] == [5, 10, 12]
    assert [record["step"] for record in found.sample] == [8, 12]
    assert len(found.result) == 1
    assert watcher.notes == []


def test_a_run_with_damaged_metrics_goes_on_to_the_same_weights_and_has_its_card(
    tmp_path: Path,
) -> None:
    whole, run, watcher = tmp_path / "whole", tmp_path / "run", Stops(-1)
    fit(whole, CONFIG)
    with pytest.raises(Kill):
        fit(run, CONFIG, watcher=Stops(6, kill=True))
    (run / store.METRICS).write_bytes(b"\n".join(UNUSABLE) + b"\n")
    fit(run, CONFIG, resume=True, watcher=watcher)
    assert (run / store.MODEL).read_bytes() == (whole / store.MODEL).read_bytes()
    assert "ended by: budget" in (run / "README.md").read_text()
    fit(run, CONFIG, resume=True)  # and again
