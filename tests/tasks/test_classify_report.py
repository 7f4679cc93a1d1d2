"""What is said of a classifier: its figures, the confusion matrix and its picture."""

from __future__ import annotations

import re
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

import recurra
from recurra.class_results import ClassReport, class_report
from recurra.errors import ConfigError, DataError, MissingExtraError
from recurra.tasks.classify import picture
from tests.tasks.small import CLASSIFY as SMALL
from tests.training.sessions import Diary


def test_the_report_counts_what_predict_answers(words: Path, tmp_path: Path) -> None:
    run = recurra.train("classify", words, out=tmp_path / "run", steps=30, **SMALL)
    report = run.evaluate(str(words))
    assert isinstance(report, ClassReport)
    rows = [line.split("\t") for line in words.read_text().splitlines()[1:]]
    answers = [answer.label for answer in run.predict([text for _, text in rows])]
    for truth, row in zip(report.labels, report.confusion, strict=True):
        for label, count in zip(report.labels, row, strict=True):
            found = [
                answer == label
                for (real, _), answer in zip(rows, answers, strict=True)
                if real == truth
            ]
            assert sum(found) == count


def test_the_held_out_figures_of_training_are_those_that_evaluate_calls_by_their_names(
    words: Path, tmp_path: Path
) -> None:
    run = recurra.train("classify", words, out=tmp_path / "run", steps=20, **SMALL)
    assert run.outcome is not None
    exact = run.evaluate(split="valid").figures
    assert set(run.outcome.figures) == {"accuracy", "nats_per_example"}
    for name, figure in run.outcome.figures.items():
        assert exact[name] == pytest.approx(figure, rel=1e-12)  # the same network, the same batches


def test_training_and_predicting_need_no_scikit_learn_and_evaluating_says_so(
    words: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    diary, folder = Diary(), tmp_path / "run"
    run = recurra.train(
        "classify", words, out=folder, steps=2, evaluate=True, watcher=diary, **SMALL
    )
    needed = 'the figures of a classifier need scikit-learn: pip install "recurra[torch]"'
    assert f"not evaluated: {needed}; then recurra evaluate {folder}" in diary.notes
    assert run.outcome is not None
    assert (run.outcome.reason, run.outcome.evaluation) == ("budget", None)
    assert (folder / "README.md").exists()
    assert len(run.predict(["makiro"])) == 1
    words.unlink()  # reading it would be another error
    with pytest.raises(MissingExtraError, match=re.escape(needed)):
        run.evaluate()


def test_the_confusion_matrix_is_drawn_into_the_run_or_a_file(words: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the picture needs matplotlib")
    run = recurra.train("classify", words, out=tmp_path / "run", steps=1, evaluate=True, **SMALL)
    assert (run.folder / "confusion.png").read_bytes().startswith(b"\x89PNG")
    report = run.evaluate(picture=str(tmp_path / "here.png"))
    assert report.notes[-1] == f"the confusion matrix is drawn in {tmp_path / 'here.png'}"
    assert (tmp_path / "here.png").read_bytes().startswith(b"\x89PNG")
    assert "accuracy" in (run.folder / "README.md").read_text()
    assert "The test part, 12 examples" in (run.folder / "README.md").read_text()


def test_a_picture_that_cannot_be_made_is_refused_before_anything_is_read(
    words: Path, tmp_path: Path
) -> None:
    run = recurra.train("classify", words, out=tmp_path / "run", steps=1, **SMALL)
    words.unlink()  # reading it would be another error
    (tmp_path / "folder.png").mkdir()
    refused = {
        "nowhere/here.png": "there is no folder .*nowhere: make it",
        "folder.png": "is a folder: name a file",
        "here.svg": "must name a .png file: no other kind is drawn",
        "here": "must name a .png file",
    }
    for name, message in refused.items():
        with pytest.raises(ConfigError, match=message):
            run.evaluate(picture=str(tmp_path / name))


def test_the_picture_in_the_run_is_of_its_own_parts_and_not_of_other_files(
    words: Path, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib", reason="the picture needs matplotlib")
    run = recurra.train("classify", words, out=tmp_path / "run", steps=1, **SMALL)
    report = run.evaluate(words)
    assert not any("drawn" in note for note in report.notes)
    assert not (run.folder / "confusion.png").exists()
    run.evaluate(words, picture=str(tmp_path / "here.png"))
    assert (tmp_path / "here.png").exists()
    assert not (run.folder / "confusion.png").exists()


def test_repeated_inputs_are_left_out_of_the_figures_where_asked(
    words: Path, tmp_path: Path
) -> None:
    header, first, *_ = words.read_text().splitlines()
    test = tmp_path / "test.tsv"
    test.write_text(f"{header}\n{first}\nOlem\tnever\nTavi\tnot this\n")
    settings = {**SMALL, "valid_fraction": 0.0, "train_fraction": 1.0, "test_file": str(test)}
    run = recurra.train("classify", words, out=tmp_path / "run", steps=1, **settings)
    assert run.evaluate().tokens == 3
    new = run.evaluate(repeated=False)
    assert (new.split, new.tokens) == ("the test part, without repeated inputs", 2)
    left_out = "left out: 1 of 3 examples, whose input stands in the training part."
    assert new.notes[0] == left_out
    assert run.evaluate(str(test), repeated=False).notes[0] == left_out
    with pytest.raises(DataError, match="every input in it stands in the training part"):
        run.evaluate(split="train", repeated=False)


def test_a_thousand_classes_and_letters_without_a_glyph_are_drawn() -> None:
    pytest.importorskip("matplotlib")
    for labels in ([f"c{place}" for place in range(1000)], ["财经", "体育"]):
        places = np.arange(len(labels))
        report = class_report(labels, places, places, nats=0.5, split="the test part")
        png = picture.draw(report)
        width, height = struct.unpack(">II", png[16:24])
        assert max(width, height) < 4000  # 26 inches of 100 dots, and room
