"""`config.json`: what a run is, and everything that is needed to build its model again.

Not here: what a task's settings mean; `config` is checked by `recurra.config.from_json`.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from recurra.errors import RunError
from recurra.store.files import read_bytes, sync_folder, write_atomic, writing
from recurra.store.values import parse

FORMAT = 1  # grows when an older Recurra could no longer read a run

CONFIG = "config.json"
MODEL = "model.safetensors"
RESUME = "resume.safetensors"
METRICS = "metrics.jsonl"

_TYPES: dict[str, type[Any]] = {
    "format": int,
    "kind": str,
    "task": str,
    "seed": int,
    "version": str,
    "config": dict,
    "given": list,
    "files": list,
    "command": str,
    "platform": dict,
    "facts": dict,
}
_FILE_TYPES: dict[str, type[Any]] = {"path": str, "name": str, "bytes": int, "sha256": str}


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """What `config.json` holds."""

    kind: str  # of model, as the task says: "language_model" is what the runtime opens
    task: str
    seed: int
    version: str  # of Recurra
    config: dict[str, Any]  # the task's Config, as recurra.config.to_json gives it
    given: list[str] = field(default_factory=list)  # the files and folders named, absolute
    files: list[dict[str, Any]] = field(default_factory=list)  # path, name, bytes, sha256 of each
    command: str = ""  # the command line that made the run
    platform: dict[str, Any] = field(default_factory=dict)  # torch, threads, instruction set
    facts: dict[str, Any] = field(default_factory=dict)  # for the model card
    format: int = FORMAT

    def to_json(self) -> dict[str, Any]:
        """The record as JSON values, format first."""
        return {name: getattr(self, name) for name in _TYPES}

    @classmethod
    def from_json(cls, values: Any, where: str) -> RunRecord:
        """The record in JSON values, every type checked; RunError naming `where` otherwise."""
        number = values.get("format") if isinstance(values, dict) else None
        if type(number) is int and number > FORMAT:
            raise RunError(
                f"{where}: this run was written by a newer Recurra (format {number}, "
                f"this one reads up to {FORMAT}): upgrade."
            )
        _check(values, _TYPES, where)
        if values["format"] < 1:
            raise RunError(f"{where}: format = {values['format']}: formats start at 1.")
        for index, name in enumerate(values["given"]):
            if type(name) is not str:
                raise RunError(f"{where}: given[{index}] must be str, not {type(name).__name__}.")
        for index, entry in enumerate(values["files"]):
            _check(entry, _FILE_TYPES, f"{where}: files[{index}]")
        return cls(**{item.name: values[item.name] for item in fields(cls)})


def _check(values: Any, types: Mapping[str, type[Any]], where: str) -> None:
    if not isinstance(values, dict):
        raise RunError(f"{where} must be a table, not {type(values).__name__}.")
    if unknown := sorted(set(values) - set(types)):
        raise RunError(f"{where}: unknown entry {unknown[0]!r}.")
    for name, kind in types.items():
        if name not in values:
            raise RunError(f"{where} lacks {name!r}.")
        if type(values[name]) is not kind:
            found = type(values[name]).__name__
            raise RunError(f"{where}: {name} must be {kind.__name__}, not {found}.")


def create(
    folder: Path,
    record: RunRecord,
    assets: Mapping[str, bytes],
    first_save: Callable[[Path], None] | None = None,
) -> None:
    """Nothing; `folder` then holds the record, the assets and what `first_save` wrote: all or none.

    Everything is written into a temporary folder beside it, given to `first_save`, which is then
    renamed; parents are made. Raises RunError where `folder` exists and is not empty (an existing
    run is never overwritten) or cannot be written.
    """
    check_new(folder)
    with writing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        building = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        for name, data in assets.items():
            write_atomic(building / name, data)
        write_record(building, record)
        if first_save is not None:
            first_save(building)
        with writing(folder):
            building.chmod(0o777 & ~_umask())  # mkdtemp's folders are their owner's alone
            if folder.is_dir():
                folder.rmdir()  # empty; Windows renames onto no folder
            os.replace(building, folder)
            sync_folder(folder.parent)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise


def check_new(folder: Path) -> None:
    """Nothing if a run can be made in `folder`; RunError where it exists and is not empty."""
    with writing(folder):
        if folder.is_dir() and not any(folder.iterdir()):
            return
        if not folder.exists():
            return
    go_on = f", or go on with it: recurra resume {folder}" if (folder / CONFIG).exists() else ""
    kind = "is not empty" if folder.is_dir() else "is a file"
    raise RunError(f"{folder} exists and {kind}. Choose another folder with --out{go_on}.")


def write_record(folder: Path, record: RunRecord) -> None:
    """Writes `config.json`, atomically; RunError for a file name that is not text, too."""
    text = json.dumps(record.to_json(), indent=2, ensure_ascii=False, allow_nan=False)
    try:
        data = text.encode() + b"\n"
    except UnicodeEncodeError as error:
        raise RunError(
            f"cannot write {CONFIG}: {text[error.start : error.end]!a} is not text; it stands in "
            "the name of a file or folder. Rename that."
        ) from error
    write_atomic(folder / CONFIG, data)


def read_record(folder: Path) -> RunRecord:
    """The record of the run in `folder`; RunError where there is none that this version reads."""
    if not folder.is_dir():
        kind = "is a file, not a run folder" if folder.exists() else "does not exist"
        raise RunError(f"{folder} {kind}.")
    path = folder / CONFIG
    if not path.exists():
        raise RunError(f"{folder} is not a run folder: it has no {CONFIG}.")
    try:
        values = parse(read_bytes(path))
    except ValueError as error:
        raise RunError(f"{path} is damaged: {error}.") from error
    return RunRecord.from_json(values, str(path))


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
