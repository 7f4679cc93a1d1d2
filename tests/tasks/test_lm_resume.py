"""A language model goes on: to the same bits, and only on the text that it was trained on."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import pytest

import recurra
from recurra import store
from recurra.errors import ConfigError, DataError
from tests.tasks.verse import SMALL, VERSE
from tests.training.sessions import Stops


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize(
    "settings",
    [
        {"tokens": "word", "tied": True},
        {"tokens": "byte", "num_layers": 2, "dropout": 0.2},
        {"learned_state": True, "embedding_size": 0, "ema": 0.9},
    ],
)
def test_interrupted_and_resumed_is_uninterrupted_bit_for_bit(
    verse: Path, tmp_path: Path, cell: str, settings: dict[str, Any]
) -> None:
    settings = {**SMALL, "cell": cell, **settings}
    recurra.train("lm", verse, out=tmp_path / "whole", steps=30, **settings)
    recurra.train("lm", verse, out=tmp_path / "half", steps=30, watcher=Stops(13), **settings)
    recurra.resume(tmp_path / "half")
    whole = (tmp_path / "whole" / store.MODEL).read_bytes()
    assert (tmp_path / "half" / store.MODEL).read_bytes() == whole


def test_a_changed_file_is_not_resumed_on(verse: Path, tmp_path: Path) -> None:
    recurra.train("lm", verse, out=tmp_path / "run", steps=5, **SMALL)
    verse.write_text(VERSE * 41)
    with pytest.raises(DataError, match=r"is not what .* was trained on"):
        recurra.resume(tmp_path / "run", steps=10)


def test_files_in_another_order_are_not_resumed_on(tmp_path: Path) -> None:
    names = [tmp_path / "one.txt", tmp_path / "two.txt"]
    names[0].write_text(VERSE * 20)
    names[1].write_text(VERSE.upper() * 20)
    recurra.train("lm", *names, out=tmp_path / "run", steps=2, **SMALL)
    one, two = (path.read_text() for path in names)
    names[0].write_text(two)
    names[1].write_text(one)
    with pytest.raises(DataError, match=r"one\.txt is not what"):
        recurra.resume(tmp_path / "run", steps=4)


def test_a_file_added_to_the_folder_is_named_when_going_on(tmp_path: Path) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "a.txt").write_text(VERSE * 20)
    recurra.train("lm", folder, out=tmp_path / "run", steps=2, **SMALL)
    (folder / "b.txt").write_text("more")
    with pytest.raises(DataError, match=r"b\.txt was not there"):
        recurra.resume(tmp_path / "run", steps=4)
    with pytest.raises(DataError, match=r"b\.txt was not there"):
        recurra.load(tmp_path / "run").evaluate()


def test_a_file_taken_from_the_folder_is_named_when_going_on(tmp_path: Path) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "a.txt").write_text(VERSE * 20)
    (folder / "b.txt").write_text("more")
    recurra.train("lm", folder, out=tmp_path / "run", steps=2, **SMALL)
    (folder / "b.txt").unlink()
    with pytest.raises(DataError, match=r"b\.txt is no longer among the files"):
        recurra.resume(tmp_path / "run", steps=4)


@pytest.mark.parametrize("held_out", [False, True])
def test_a_run_that_was_given_standard_input_asks_for_it_again(
    verse: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held_out: bool
) -> None:
    main = verse if held_out else "-"
    valid: dict[str, Any] = {"valid_file": "-"} if held_out else {}

    class Typed(io.TextIOWrapper):
        def isatty(self) -> bool:
            return self.typed

        typed = False

    monkeypatch.setattr(sys, "stdin", Typed(io.BytesIO(verse.read_bytes())))
    recurra.train("lm", main, out=tmp_path / "run", steps=2, **valid, **SMALL)
    terminal = Typed(io.BytesIO(b""))
    terminal.typed = True
    monkeypatch.setattr(sys, "stdin", terminal)
    with pytest.raises(DataError, match="pipe the same text in again"):
        recurra.resume(tmp_path / "run", steps=4)
    with pytest.raises(DataError, match="pipe the same text in again"):
        recurra.load(tmp_path / "run").evaluate()
    monkeypatch.setattr(sys, "stdin", Typed(io.BytesIO(verse.read_bytes())))
    resumed = recurra.resume(tmp_path / "run", steps=4)
    assert resumed.outcome is not None
    assert resumed.outcome.steps == 4


def test_a_budget_that_is_spent_already_is_refused_and_nothing_is_changed(
    verse: Path, tmp_path: Path
) -> None:
    run = recurra.train("lm", verse, out=tmp_path / "run", steps=10, **SMALL)
    before = (run.folder / store.CONFIG).read_bytes()
    with pytest.raises(ConfigError, match=r"has trained 10 steps .* give a larger one"):
        recurra.resume(run.folder, steps=5)
    assert (run.folder / store.CONFIG).read_bytes() == before


def test_a_run_whose_text_was_moved_goes_on_where_it_is_pointed_to(
    verse: Path, tmp_path: Path
) -> None:
    run = recurra.train("lm", verse, out=tmp_path / "run", steps=5, **SMALL)
    moved = verse.rename(tmp_path / "moved.txt")
    for asked in (lambda: recurra.resume(run.folder, steps=8), run.evaluate):
        with pytest.raises(DataError, match=r"there is no file .* now: recurra resume .* FILE …"):
            asked()
    with pytest.raises(DataError, match=r"there is no file '.*missing\.txt'\.$"):
        recurra.resume(run.folder, tmp_path / "missing.txt", steps=8)
    resumed = recurra.resume(run.folder, moved, steps=8)
    assert resumed.record.given == [str(moved)]
    other = tmp_path / "other.txt"
    other.write_text(VERSE * 39)
    with pytest.raises(DataError, match=r"other\.txt is not what"):
        recurra.resume(run.folder, other, steps=12)
    other.write_text(VERSE.upper() * 40)
    with pytest.raises(DataError, match="cannot be read again as it was in training"):
        recurra.resume(run.folder, other, steps=12)
