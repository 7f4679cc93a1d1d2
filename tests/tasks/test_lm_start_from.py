"""A language model that starts from another run: its symbols, tokens and network are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import recurra
from recurra import store
from recurra.errors import ConfigError
from tests.tasks.verse import SMALL, VERSE


def test_from_a_run_keeps_its_symbols_and_adds_rows_for_new_ones(
    verse: Path, tmp_path: Path
) -> None:
    old = recurra.train("lm", verse, out=tmp_path / "old", steps=5, **SMALL)
    more = tmp_path / "more.txt"
    more.write_text((VERSE + "ZEBRA!\n") * 40)
    new = recurra.train(
        "lm", more, out=tmp_path / "new", start_from=old.folder, steps=1, learning_rate=1e-9
    )
    text = "the cat is small"
    old_ids = old.model.tokenizer.encode(text)
    np.testing.assert_array_equal(old_ids, new.model.tokenizer.encode(text))
    before, after = (store.read_tensors(run.folder / store.MODEL) for run in (old, new))
    assert len(after["embedding.weight"]) == old.model.vocab_size + len("ZEBRA!")
    for name, weight in before.items():
        # one step of Adam at a rate of 1e-9 moves no weight by more than that
        np.testing.assert_allclose(after[name][: len(weight)], weight, atol=1e-8)


def test_from_a_run_without_data_goes_on_with_that_run_s_own_text(
    verse: Path, tmp_path: Path
) -> None:
    old = recurra.train("lm", verse, out=tmp_path / "old", steps=2, tokens="word", **SMALL)
    new = recurra.train(start_from=old.folder, task="lm", out=tmp_path / "new", steps=1)
    assert new.record.given == old.record.given == [str(verse)]
    assert new.record.config["data"] == old.record.config["data"]
    assert new.record.config["model"] == old.record.config["model"]


def test_from_a_run_with_other_data_takes_its_tokens_and_not_its_held_out_files(
    verse: Path, tmp_path: Path
) -> None:
    held_out = tmp_path / "held_out.txt"
    held_out.write_text(VERSE * 10)
    old = recurra.train(
        "lm", verse, out=tmp_path / "old", steps=2, tokens="byte", valid_file=str(held_out), **SMALL
    )
    more = tmp_path / "more.txt"
    more.write_text(VERSE * 60)
    new = recurra.train("lm", more, start_from=old.folder, out=tmp_path / "new", steps=1)
    assert new.record.config["data"]["tokens"] == "byte"
    assert new.record.config["data"]["valid_file"] is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        # of one shape with the old run's weights, and another function
        ({"cell": "gru_reset_before"}, "cell = 'gru_reset_before', and 'gru' in"),
        ({"num_layers": 1}, "num_layers = 1, and 2 in"),
        ({"num_layers": 3}, "num_layers = 3, and 2 in"),
        ({"hidden_size": 12}, "hidden_size = 12, and 24 in"),
        ({"tokens": "byte"}, "tokens = 'byte': the run started from has char tokens"),
    ],
)
def test_from_a_run_with_another_network_is_refused(
    verse: Path, tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    old = recurra.train(
        "lm", verse, out=tmp_path / "old", steps=1, cell="gru", num_layers=2, **SMALL
    )
    with pytest.raises(ConfigError, match=message):
        recurra.train("lm", verse, start_from=old.folder, out=tmp_path / "new", steps=1, **settings)
    assert not (tmp_path / "new").exists()
