"""The run folder's files: atomic writes, checks before allocation, records and metrics."""

from __future__ import annotations

import errno
import json
import math
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

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


def _weights() -> dict[str, NDArray[Any]]:
    rng = np.random.default_rng(0)
    return {
        "b.weight": rng.standard_normal((3, 4)).astype(np.float32),
        "a.bias": rng.standard_normal(5),
        "step": np.array(7, dtype=np.int64),
        "none": np.zeros((0, 3), dtype=np.float32),
        "mask": np.array([True, False, True]),
        "half": np.arange(3, dtype=np.float16),
    }


# --- config.json


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


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_in_a_run_folder_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    for name in (store.MODEL, store.METRICS, "config.json"):
        os.mkfifo(tmp_path / name)
    with pytest.raises(RunError, match=r"model\.safetensors is not a regular file"):
        store.read_tensors(tmp_path / store.MODEL)
    with pytest.raises(RunError, match=r"config\.json is not a regular file"):
        store.read_record(tmp_path)
    with pytest.raises(RunError, match=r"metrics\.jsonl"):
        store.metrics_size(tmp_path)


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


# --- atomic writes


class FullDisk:
    """Lets the first `good` system calls that write go through, then says that the disk is full."""

    def __init__(self, good: int, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = good
        self.hit = False
        for name in ("write", "fsync", "replace", "open"):
            monkeypatch.setattr(os, name, self._counted(getattr(os, name)))

    def _counted(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **named: Any) -> Any:
            if self.left == 0:
                self.hit = True
                raise OSError(errno.ENOSPC, "No space left on device")
            self.left -= 1
            return call(*arguments, **named)

        return counted


def test_a_full_disk_at_any_call_leaves_the_old_file_or_the_new_one_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for good in range(20):
        path.write_bytes(b"old")
        said = None
        with pytest.MonkeyPatch.context() as patch:
            disk = FullDisk(good, patch)
            try:
                store.write_atomic(path, [b"ne", b"", b"w"])
            except RunError as error:
                said = str(error)
        wanted = f"cannot write {path}: No space left on device. Nothing already saved was lost; "
        assert (said is not None) == disk.hit
        assert said is None or (said.startswith(wanted) and "\n" not in said)
        assert path.read_bytes() in (b"old", b"new")
        assert [item.name for item in tmp_path.iterdir()] == ["file"]
        if not disk.hit:
            assert path.read_bytes() == b"new"
            assert good > 5, "the calls were not counted"
            return
    pytest.fail("the write never went through")


def test_short_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = os.write
    monkeypatch.setattr(os, "write", lambda file, data: whole(file, bytes(data)[:2]))
    store.write_atomic(tmp_path / "file", b"some text")
    assert (tmp_path / "file").read_bytes() == b"some text"


def test_what_a_kill_left_behind_is_replaced_and_a_planted_link_not_followed(
    tmp_path: Path,
) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    (tmp_path / ".file.tmp").symlink_to(victim)
    store.write_atomic(tmp_path / "file", b"new")
    assert victim.read_bytes() == b"mine"
    assert (tmp_path / "file").read_bytes() == b"new"
    assert not (tmp_path / ".file.tmp").exists()


def test_a_folder_that_cannot_be_written_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(RunError, match=r"cannot write .*Not a directory"):
        store.write_atomic(tmp_path / "file" / "x", b"")


# --- tensors


def test_tensors_come_back_and_the_safetensors_library_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    store.save_tensors(path, _weights(), {"step": "7", "a": "ü"})
    for found in (store.read_tensors(path), load_file(path)):
        assert set(found) == set(_weights())
        for name, array in _weights().items():
            assert found[name].dtype == array.dtype
            assert found[name].shape == array.shape
            assert np.array_equal(found[name], array)
    header = store.read_header(path)
    assert header.metadata == {"step": "7", "a": "ü"}
    assert header.entries["b.weight"].shape == (3, 4)


def test_what_the_safetensors_library_wrote_is_read(tmp_path: Path) -> None:
    save_file(_weights(), tmp_path / "x.safetensors", {"who": "them"})
    found = store.read_tensors(tmp_path / "x.safetensors")
    assert all(np.array_equal(found[name], array) for name, array in _weights().items())


def test_equal_content_gives_equal_bytes_in_any_order(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    turned = dict(reversed(list(_weights().items())))
    turned["b.weight"] = np.asfortranarray(turned["b.weight"])  # the same values, another layout
    store.save_tensors(one, _weights(), {"x": "1", "y": "2"})
    store.save_tensors(other, turned, {"y": "2", "x": "1"})
    assert one.read_bytes() == other.read_bytes()


def test_big_endian_arrays_are_saved_by_value(tmp_path: Path) -> None:
    store.save_tensors(tmp_path / "x", {"w": np.arange(3, dtype=">f4")}, {})
    assert np.array_equal(store.read_tensors(tmp_path / "x")["w"], [0, 1, 2])


def test_a_file_of_another_model_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    store.save_tensors(path, {"w": np.zeros((2, 3)), "b": np.zeros(2)}, {})
    with pytest.raises(RunError, match=r"w must have shape \(3, 3\) but has \(2, 3\)"):
        store.read_tensors(path, {"w": (3, 3), "b": (2,)})
    with pytest.raises(RunError, match="it lacks c"):
        store.read_tensors(path, {"w": (2, 3), "b": (2,), "c": ()})
    with pytest.raises(RunError, match="it also holds b"):
        store.read_tensors(path, {"w": (2, 3)})


def test_a_hidden_size_of_ten_to_the_twelve_allocates_nothing(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    store.save_tensors(path, {"w": np.zeros((2, 3))}, {})
    huge = 10**12
    header = {"w": {"dtype": "F32", "shape": [4 * huge, huge], "data_offsets": [0, 16 * huge**2]}}
    hostile = _file(tmp_path / "hostile", json.dumps(header).encode(), b"")
    tracemalloc.start()
    with pytest.raises(RunError, match="must have shape"):
        store.read_tensors(path, {"w": (4 * huge, huge)})
    with pytest.raises(RunError, match="no valid place"):
        store.read_tensors(hostile)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000  # bytes: headers and messages, no tensor


def test_a_file_cut_off_anywhere_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    store.save_tensors(path, _weights(), {"step": "7"})
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(RunError, match=r"model\.safetensors is damaged") as caught:
            store.read_tensors(path)
        assert "\n" not in str(caught.value)
    path.write_bytes(whole + b"\0")
    with pytest.raises(RunError, match="is damaged"):
        store.read_tensors(path)


def test_a_file_with_any_byte_of_its_header_changed_is_read_or_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    store.save_tensors(path, {"w": np.zeros((2, 3), np.float32), "b": np.ones(2)}, {"step": "7"})
    whole = path.read_bytes()
    length = 8 + int.from_bytes(whole[:8], "little")
    for place in range(length):
        for byte in (0, 0x22, 0x30, 0x7B, 0xFF):
            path.write_bytes(whole[:place] + bytes([byte]) + whole[place + 1 :])
            try:
                found = store.read_tensors(path)
            except RunError:
                continue
            assert sum(array.nbytes for array in found.values()) == len(whole) - length


def _file(path: Path, header: bytes, data: bytes, length: int | None = None) -> Path:
    length = len(header) if length is None else length
    path.write_bytes(length.to_bytes(8, "little") + header + data)
    return path


def _entry(**changes: Any) -> dict[str, Any]:
    return {"dtype": "F32", "shape": [2], "data_offsets": [0, 8], **changes}


HOSTILE: dict[str, tuple[bytes, str]] = {
    "not JSON": (b"pickle.loads", "header is not JSON"),
    "not UTF-8": (b'{"\xff": 1}', "header is not JSON"),
    "nested deeply": (b'{"a":' + b"[" * 100_000, "header is not JSON"),
    "a list": (b"[]", "header is no table"),
    "a name twice": (
        b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},'
        b'"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}',
        "a name stands twice",
    ),
    "a shape twice": (
        b'{"a":{"dtype":"F32","shape":[1],"shape":[2],"data_offsets":[0,8]}}',
        "a name stands twice",
    ),
    "metadata of numbers": (b'{"__metadata__":{"a":1}}', "metadata are not strings"),
    "an entry that is no table": (b'{"a":3}', "is not described by"),
    **{
        name: (json.dumps({"a": entry}).encode(), message)
        for name, entry, message in [
            ("an entry too much", _entry(pickle="cos"), "is not described by"),
            ("an unknown type", _entry(dtype="F128"), "of type 'F128'"),
            ("a type that is a list", _entry(dtype=["F32"]), "is of type"),
            ("another type", _entry(dtype="F64"), r"takes 16 bytes, not its place's"),
            ("a negative size", _entry(shape=[-2]), "no valid shape"),
            ("two negative sizes", _entry(shape=[-2, -1]), "no valid shape"),
            ("a size past 64 bits", _entry(shape=[2**63]), "no valid shape"),
            ("sizes whose product overflows", _entry(shape=[2**32, 2**32, 2]), "takes"),
            ("a fraction as size", _entry(shape=[2.0]), "no valid shape"),
            ("True as size", _entry(shape=[True, 2]), "no valid shape"),
            ("too many axes", _entry(shape=[1] * 40 + [2]), "no valid shape"),
            ("a place before the data", _entry(data_offsets=[-8, 0]), "no valid place"),
            ("a place past the data", _entry(data_offsets=[8, 16]), "starts at byte 8, not 0"),
            ("a place that ends first", _entry(data_offsets=[8, 0]), "takes 8 bytes"),
            ("three offsets", _entry(data_offsets=[0, 4, 8]), "no valid place"),
            ("too little data", _entry(shape=[1], data_offsets=[0, 4]), "its tensors take 4 bytes"),
        ]
    },
    "overlapping places": (
        json.dumps({"a": _entry(), "b": _entry(shape=[1], data_offsets=[4, 8])}).encode(),
        "b starts at byte 4, not 8",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_header_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    header, message = HOSTILE[name]
    path = _file(tmp_path / "model.safetensors", header, b"\0" * 8)
    with pytest.raises(RunError, match=message) as caught:
        store.read_tensors(path)
    assert "is damaged" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("length", [9, 10**6, 2**31, 2**63, 2**64 - 1])
def test_a_header_longer_than_its_file_is_not_read(tmp_path: Path, length: int) -> None:
    path = _file(tmp_path / "model.safetensors", b"{}", b"", length)
    with pytest.raises(RunError, match="its header claims"):
        store.read_header(path)


def test_a_missing_file_and_a_folder_are_told(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"has no model\.safetensors"):
        store.read_tensors(tmp_path / "model.safetensors")
    with pytest.raises(RunError, match="is not a regular file"):
        store.read_tensors(tmp_path)


# --- metrics.jsonl


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


# --- the lock


def test_two_holders_never_train_one_folder(tmp_path: Path) -> None:
    with store.lock(tmp_path):
        with pytest.raises(RunError, match="another process is training"), store.lock(tmp_path):
            pytest.fail("both hold it")
        code = (
            "import sys; from pathlib import Path; from recurra import store\n"
            "try:\n    with store.lock(Path(sys.argv[1])): pass\n"
            "except Exception as error: print(error)"
        )
        said = subprocess.run(
            [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
        )
        assert "another process is training" in said.stdout
    with store.lock(tmp_path):
        pass
