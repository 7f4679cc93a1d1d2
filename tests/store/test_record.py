"""config.json: a record comes back, an existing run stays, damaged and hostile ones are refused."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from recurra import store
from recurra.errors import RunError

RECORD = store.RunRecord(
    kind="language_model",
    task="lm",
    seed=3,
    version="0.1.0",
    config={"model": {"hidden_size": 4}},
    files=[{"path": "a/b.txt", "name": "b.txt", "bytes": 7, "sha256": "ab" * 32}],
    command="recurra train lm a/b.txt",
    platform={"threads": 1},
    facts={"symbols": 5},
)


def test_a_record_comes_back_as_it_was_written(tmp_path: Path) -> None:
    store.create(tmp_path / "a" / "run", RECORD, {"tokenizer.json": b"{}"})
    assert store.read_record(tmp_path / "a" / "run") == RECORD
    assert (tmp_path / "a" / "run" / "tokenizer.json").read_bytes() == b"{}"
    assert sorted(item.name for item in (tmp_path / "a").iterdir()) == ["run"]


def test_an_empty_folder_is_taken_and_a_used_one_is_never_overwritten(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    store.create(run, RECORD, {})
    before = (run / "config.json").read_bytes()
    with pytest.raises(RunError, match=r"exists and is not empty.*--out.*recurra resume"):
        store.create(run, replace(RECORD, seed=4), {})
    assert (run / "config.json").read_bytes() == before


def test_a_file_where_the_run_should_be_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    with pytest.raises(RunError, match="exists and is a file"):
        store.create(tmp_path / "run", RECORD, {})
    with pytest.raises(RunError, match="is a file, not a run folder"):
        store.read_record(tmp_path / "run")


def test_a_failed_first_save_leaves_no_folder(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        raise RunError("no room")

    with pytest.raises(RunError, match="no room"):
        store.create(tmp_path / "run", RECORD, {"x": b"y"}, fail)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_or_other_folder_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="nowhere does not exist"):
        store.read_record(tmp_path / "nowhere")
    with pytest.raises(RunError, match=r"is not a run folder: it has no config\.json"):
        store.read_record(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, r"newer Recurra \(format 2, this one reads up to 1\): upgrade"),
        ({"format": 0}, "format = 0: formats start at 1"),
        ({"format": "1"}, "format must be int, not str"),
        ({"format": True}, "format must be int, not bool"),
        ({"seed": 1.5}, "seed must be int, not float"),
        ({"config": [1]}, "config must be dict, not list"),
        ({"files": [{"path": "x"}]}, r"files\[0\] lacks 'name'"),
        ({"files": [3]}, r"files\[0\] must be a table, not int"),
        ({"surprise": 1}, "unknown entry 'surprise'"),
        ({"kind": None}, "kind must be str, not NoneType"),
    ],
)
def test_a_record_of_wrong_types_is_refused(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    (tmp_path / "config.json").write_text(json.dumps({**RECORD.to_json(), **change}))
    with pytest.raises(RunError, match=message):
        store.read_record(tmp_path)


@pytest.mark.parametrize(
    "text", ["", "{", "[" * 100_000, "\xff", '{"format": 1' + "0" * 5000 + "}"]
)
def test_a_damaged_config_is_told_in_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(RunError, match=r"config\.json is damaged: not JSON") as caught:
        store.read_record(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("NaN", r"not JSON \(Out of range float values"),
        ("-Infinity", r"not JSON \(Out of range float values"),
        ("1e999", r"not JSON \(Out of range float values"),
        ("1" + "0" * 400, r"not JSON \(an integer is past any float\)"),
        (r'"\ud800"', "a string in it is not text"),
        (r'{"\udfff": 1}', "a string in it is not text"),
    ],
)
def test_a_config_whose_values_could_not_be_written_again_is_damaged(
    tmp_path: Path, value: str, message: str
) -> None:
    text = json.dumps({**RECORD.to_json(), "config": "VALUE"})
    (tmp_path / "config.json").write_text(text.replace('"VALUE"', f'{{"x": [{value}]}}'))
    with pytest.raises(RunError, match=rf"config\.json is damaged: {message}") as caught:
        store.read_record(tmp_path)
    assert str(caught.value).isprintable()


def test_the_largest_numbers_of_every_kind_are_read(tmp_path: Path) -> None:
    config = {"a": 2**64 - 1, "b": 1.7976931348623157e308, "c": 10**308, "d": "\U0001f600"}
    store.write_record(tmp_path, replace(RECORD, config=config))
    assert store.read_record(tmp_path).config == config


def test_a_file_name_that_is_not_text_is_told_in_one_line(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.txt")  # Latin-1 on a disk whose names are UTF-8
    if name.isprintable():
        pytest.skip("this system's file names are not UTF-8")
    with pytest.raises(
        RunError, match=r"cannot write config\.json: '\\udce9' is not text"
    ) as caught:
        store.create(tmp_path / "run", replace(RECORD, given=[name]), {})
    assert str(caught.value).isprintable()
    assert list(tmp_path.iterdir()) == []


def test_a_record_that_lacks_an_entry_or_is_no_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "llama"}')
    with pytest.raises(RunError, match="unknown entry 'model_type'"):
        store.read_record(tmp_path)
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(RunError, match="must be a table, not list"):
        store.read_record(tmp_path)
