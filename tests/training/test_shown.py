"""What a run shows of itself: its card, its loss curve, TensorBoard and its machine."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from recurra.errors import MissingExtraError
from recurra.training import curve, events
from recurra.training.records import Records
from recurra.training.watch import Quiet
from tests.training.parity_task import Config, Network, Parity, fit
from tests.training.sessions import SHORT, Diary


def test_the_card_says_what_the_model_is_and_names_no_path_but_the_commands(
    tmp_path: Path,
) -> None:
    network = Network(hidden_size=4)
    outcome = fit(tmp_path / "run", Config(model=network, training=SHORT))
    card = (tmp_path / "run" / "README.md").read_text()
    # GRU: 3·4 rows of 1 + 4 weights and their biases (12, and 4 in the recurrence), then 4 + 1.
    for words in (
        "# run\n",
        "- parameters: 81",
        "- longest sequence: 5",
        "| bits.txt | 3 | `" + "0" * 64,
        "| hidden_size | 4 | 8 |",
        "| steps | 20 | 60 |",
        f"accuracy: {outcome.figures['accuracy']:.4f}",
        "## A sample, after step 20\n\n```text\n[",
        "recurra train parity /somewhere/bits.txt",
        "recurra resume .",
    ):
        assert words in card
    assert card.count("/somewhere") == 1


def test_the_card_parts_thousands_and_quotes_texts(tmp_path: Path) -> None:
    class Counted(Parity):
        def prepare(self, *given: Any, **asked: Any) -> Any:
            facts = {"symbols": 8866, "context": "\n"}
            return replace(super().prepare(*given, **asked), facts=facts)

    fit(tmp_path / "run", Config(training=SHORT), task=Counted())
    card = (tmp_path / "run" / "README.md").read_text()
    assert "- symbols: 8,866\n- context: '\\n'\n" in card


def test_a_sample_with_a_fence_in_it_stays_in_its_fence(tmp_path: Path) -> None:
    class Fenced(Parity):
        def illustrate(self, model: Any, prepared: Any, rng: np.random.Generator) -> str:
            return "```\n# not a heading"

    fit(tmp_path / "run", Config(training=SHORT), task=Fenced())
    card = (tmp_path / "run" / "README.md").read_text()
    assert "````text\n```\n# not a heading\n````" in card


def test_the_loss_curve_is_a_picture_whose_axis_names_what_the_task_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = pytest.importorskip("matplotlib.figure")
    drawn, save = [], figures.Figure.savefig

    def saved(figure: Any, *given: Any, **options: Any) -> None:
        drawn.append(figure.axes[0].get_ylabel())
        save(figure, *given, **options)

    monkeypatch.setattr(figures.Figure, "savefig", saved)
    fit(tmp_path / "run", Config(training=SHORT))
    assert (tmp_path / "run" / "loss.png").read_bytes().startswith(b"\x89PNG")
    assert drawn == ["nats per example"]


@pytest.mark.parametrize(
    ("figures", "labels", "drawn"),
    [
        ({"accuracy": 0.25, "nats_per_word": 2.0}, ["nats per word"], 2.0),
        ({"accuracy": 0.25, "span_f1": 0.5}, ["nats per word", "span_f1"], 0.5),
    ],
)
def test_a_validation_that_is_not_in_nats_has_an_axis_of_its_own(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    figures: dict[str, float],
    labels: list[str],
    drawn: float,
) -> None:
    figure = pytest.importorskip("matplotlib.figure").Figure
    seen = []
    monkeypatch.setattr(figure, "savefig", lambda self, *given, **options: seen.append(self))
    records = Records(
        train=[{"step": 1, "smooth_nats": 3.0}],
        validation=[{"step": 1, "score": 0.75, "figures": figures}],
    )
    curve.write(tmp_path, records, "word", Quiet())
    (shown,) = seen
    assert [axes.get_ylabel() for axes in shown.axes] == labels
    assert shown.axes[-1].lines[-1].get_ydata().tolist() == [drawn]
    legend = shown.legends[0].get_texts()
    assert [text.get_text() for text in legend] == ["training (smooth)", "validation"]


def test_without_matplotlib_a_note_stands_for_the_curve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    diary = Diary()
    fit(tmp_path / "run", Config(training=SHORT), watcher=diary)
    assert any("no loss curve: it needs matplotlib" in note for note in diary.notes)
    assert not (tmp_path / "run" / "loss.png").exists()


def test_tensorboard_gets_scalars_and_samples(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    fit(tmp_path / "run", Config(training=replace(SHORT, tensorboard=True)))
    written = b"".join(path.read_bytes() for path in (tmp_path / "run/tensorboard").iterdir())
    for tag in (b"train/loss_nats", b"validation/accuracy", b"sample", b"is odd", b"is even"):
        assert tag in written or tag in (b"is odd", b"is even")
    assert b"is odd" in written or b"is even" in written


def test_without_tensorboard_an_error_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard.writer", None)
    with pytest.raises(MissingExtraError, match=r"pip install \"recurra\[tensorboard\]\""):
        events.open_events(tmp_path, 0)


def test_the_config_of_a_run_has_the_machine_in_it(tmp_path: Path) -> None:
    fit(tmp_path / "run", Config(training=SHORT))
    platform = json.loads((tmp_path / "run" / "config.json").read_text())["platform"]
    assert platform["torch"] == torch.__version__
    assert platform["threads"] == torch.get_num_threads()
    assert platform["instructions"] == torch.backends.cpu.get_cpu_capability()
