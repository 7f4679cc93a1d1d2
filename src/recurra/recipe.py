"""A recipe: one TOML file that states a whole training run, so that one command repeats it.

    task = "lm"
    seed = 0

    [[files]]
    path = "$RECURRA_DATA/tinyshakespeare/input.txt"   # else relative to the recipe's folder
    origin = "where anyone gets it"
    bytes = 1115394
    sha256 = "…"

    [settings]                                          # the flags of `recurra train TASK`
    hidden_size = 256
    steps = 5000

Files are checked against their size and hash before anything is read into a model.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recurra import registry
from recurra.errors import ConfigError, DataError, did_you_mean, unknown
from recurra.text.files import describe

KEYS = ("task", "seed", "out", "files", "settings", "about")
FILE_KEYS = ("path", "origin", "bytes", "sha256")
VARIABLE = "RECURRA_DATA"
_TYPES = {
    "task": (str, "text"),
    "seed": (int, "a whole number"),
    "out": (str, "text"),
    "settings": (dict, "a table"),
}


@dataclass(frozen=True)
class Recipe:
    """What a recipe file says; `files` are checked paths that exist."""

    task: str | None = None
    seed: int | None = None
    out: str | None = None
    files: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)


def read_recipe(path: str | Path) -> Recipe:
    """The recipe in a TOML file, its data files found and verified.

    Raises ConfigError for a file that is not such a recipe, DataError for data that is missing or
    is not the data that the recipe names.
    """
    path = Path(path)
    table = _table(path)
    entries = table.get("files", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ConfigError(f"{path}: files must be [[files]] tables with a path each.")
    return Recipe(
        task=table.get("task"),
        seed=table.get("seed"),
        out=table.get("out"),
        files=tuple(_verified(path, entry) for entry in entries),
        settings={
            key: str(resolve(value, path.parent)) if _names_data(value) else value
            for key, value in table.get("settings", {}).items()
        },
    )


def task_of(path: str | Path) -> str:
    """The task that a recipe names; ConfigError where it names none. Its files may be missing."""
    name = _table(Path(path)).get("task")
    known = registry.names("tasks")
    if name is None:
        raise ConfigError(f"{path} names no task: add one of {', '.join(known)} (task = …).")
    if name not in known:
        raise ConfigError(f"{path}: {unknown('task', name, known)}")
    return str(name)


def _table(path: Path) -> dict[str, Any]:
    """The recipe's entries, those that are ours alone and of their types."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}.") from None
    except ValueError as error:  # not TOML, not UTF-8, or a number of thousands of digits
        raise ConfigError(f"{path} is not a TOML file: {error}.") from None
    _check_keys(str(path), table, KEYS)
    for key, (kind, name) in _TYPES.items():
        if key in table and type(table[key]) is not kind:
            raise ConfigError(f"{path}: {key} must be {name}, not {table[key]!r}.")
    return table


def _verified(recipe: Path, entry: Mapping[str, Any]) -> str:
    _check_keys(f"{recipe}: files", entry, FILE_KEYS)
    if not isinstance(entry.get("path"), str):
        raise ConfigError(f"{recipe}: a [[files]] table needs a path.")
    path = resolve(entry["path"], recipe.parent)
    if not path.is_file():
        raise DataError(
            f"{recipe} needs {path}, which is not there. Origin: {entry.get('origin', 'unstated')}."
        )
    size = path.stat().st_size
    if entry.get("bytes", size) != size:
        raise DataError(f"{path} has {size} bytes; {recipe} was made on {entry['bytes']}.")
    if "sha256" in entry:
        digest = describe(path).sha256
        if digest != entry["sha256"]:
            raise DataError(f"{path} has SHA-256 {digest}; {recipe} names {entry['sha256']}.")
    return str(path)


def _names_data(value: Any) -> bool:
    return isinstance(value, str) and value.startswith(f"${VARIABLE}/")


def resolve(path: str, folder: Path) -> Path:
    """The file a recipe's path names: below $RECURRA_DATA, absolute, or relative to `folder`."""
    if not _names_data(path):
        return folder / path
    root = os.environ.get(VARIABLE)
    if not root:
        raise DataError(
            f"{path}: the variable {VARIABLE} is not set; set it to the folder that holds the data."
        )
    return Path(root) / path.removeprefix(f"${VARIABLE}/")


def _check_keys(where: str, table: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for key in table:
        if key not in known:
            raise ConfigError(f"{where}: unknown key {key!r}.{did_you_mean(key, known)}")
