"""The names task: lists at their limits, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import recurra
from recurra.data.holdout import LEARNED_FROM
from recurra.errors import ConfigError, DataError
from tests.tasks.small import NAMES as SMALL

ALL = {"train_fraction": 1.0, "valid_fraction": 0.0}


def test_one_name_is_learned_and_said_again(tmp_path: Path) -> None:
    path = tmp_path / "one.txt"
    path.write_text("Zoe\n")
    run = recurra.train("names", path, out=tmp_path / "run", steps=60, **SMALL)
    assert str(run.sample()) == "Zoe"
    assert run.evaluate().split == "the train part"
    assert run.evaluate().notes == (LEARNED_FROM,)
    with pytest.raises(DataError, match="has no test part: nothing was held out for it"):
        run.evaluate(split="test")


def test_a_name_of_thousands_of_letters_is_trained_on_where_that_is_asked_for(
    tmp_path: Path,
) -> None:
    path = tmp_path / "long.txt"
    path.write_text("ab" * 2500 + "\nab\nba\n")
    settings = {**SMALL, **ALL, "max_length": 5000}
    run = recurra.train("names", path, out=tmp_path / "run", steps=3, **settings)
    assert run.outcome is not None
    assert run.outcome.tokens == 3 * (5001 + 3 + 3)  # three steps, each all three names


def test_a_name_with_a_letter_never_seen_is_refused_by_name(names: Path, tmp_path: Path) -> None:
    run = recurra.train("names", names, out=tmp_path / "run", steps=1, **SMALL)
    other = tmp_path / "other.txt"
    other.write_text("ann\nZoë\nZara\n")
    with pytest.raises(DataError) as caught:
        run.evaluate(other)
    assert str(caught.value).startswith(
        "the name 'Zoë' has 'Z' (U+005A) (as has 1 more name), which was in none of the names"
    )
    with pytest.raises(ConfigError, match="ask it with sample or score"):
        run.predict(["ann"])


def test_names_that_were_changed_are_not_evaluated_or_resumed_on(
    names: Path, tmp_path: Path
) -> None:
    run = recurra.train("names", names, out=tmp_path / "run", steps=1, **SMALL)
    names.write_text("ann\n")
    for ask in (run.evaluate, lambda: recurra.resume(run.folder, steps=2)):
        with pytest.raises(DataError, match=r"is not what .* was trained on|cannot be read again"):
            ask()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"train_fraction": 0.0}, r"train_fraction = 0.0: must be in \(0, 1\]"),
        ({"valid_fraction": 0.5}, "and train_fraction = 0.8 are 1.3 together, more than the whole"),
        ({"max_length": 0}, "max_length = 0: must be 1 or more"),
        ({"shown": -1}, "shown = -1: must be 0 to 1000"),
        ({"split_seed": -1}, "split_seed = -1: must not be negative"),
        ({"valid_fraction": 1.0}, r"must be in \[0, 1\)"),
    ],
)
def test_settings_that_cannot_be_are_refused_before_anything_is_written(
    names: Path, tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        recurra.train("names", names, out=tmp_path / "run", **settings)
    assert not (tmp_path / "run").exists()
