"""What a run's data, folder and command are called, where the user or Python left them out."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from recurra import runtime
from recurra.config import is_text, require
from recurra.errors import DataError

CLASSES = "classes"  # the fact that lists the classes of a run's sequences, where there are any
STEP_SIZE = "numbers_a_step"  # the fact of a run on vectors, which are in files


def default_folder(task: str, files: Sequence[str]) -> Path:
    """runs/<task>-<data>: `data` is the name of the first file or folder without its ending."""
    if not files:
        return Path("runs") / f"{task}-builtin"
    data = "stdin" if files[0] == "-" else Path(files[0]).resolve().stem
    return Path("runs") / f"{task}-{data or 'text'}"


def absolute(file: str | Path) -> str:
    """The file's absolute path, '-' as it is; DataError where config.json could not hold it."""
    require_path(file)
    if not str(file):
        raise DataError("the name of a file is empty: an unset variable of the shell?")
    name = "-" if str(file) == "-" else str(Path(file).absolute())
    if not is_text(name):
        raise DataError(f"{name!r}: its name is not UTF-8. Rename it, or pipe its text in with -.")
    return name


def require_path(file: object) -> None:
    """Nothing, or ConfigError for what is no path, as a list of them is none."""
    require(isinstance(file, str | Path), "files", file, "must be paths, an argument each")


def absolute_or_none(file: str | None) -> str | None:
    """That of a file that a setting may name."""
    return None if file is None else absolute(file)


def as_command(
    task: str,
    files: Sequence[str],
    folder: Path,
    seed: int,
    config: str | Path | None,
    start_from: str | Path | None,
    settings: dict[str, Any],
) -> str:
    """The command line that does what a call from Python did, for the model card."""
    words = ["recurra", "train", task, *files, "--out", str(folder), "--seed", str(seed)]
    if config is not None:
        words += ["--config", str(config)]
    if start_from is not None:
        words += ["--from", str(start_from)]
    for name, value in settings.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            words += [f"--{flag}", "none" if value is None else str(value)]
    return shlex.join(words)


def answering_command(folder: str, fields: Sequence[str], facts: Mapping[str, Any]) -> str:
    """What to ask of the run in `folder`, whose record has these facts, with an input's fields."""
    given = ["FILE"] if STEP_SIZE in facts else [name.upper() for name in fields]
    return " ".join(["recurra predict", folder, *given])


def writing_commands(folder: str, facts: Mapping[str, Any], given: Sequence[str]) -> list[str]:
    """What to ask of the language model in `folder`, whose record has these facts and files."""
    if runtime.STOP not in facts:
        return [
            f"recurra sample {folder} --length 300 --temperature 0.8",
            f'recurra score {folder} "one text" "another text"',
        ]
    classes = facts.get(CLASSES)
    label = f" --label {shlex.quote(classes[0])}" if classes else ""
    report = "" if "-" in given else " --report"  # standard input is not kept
    return [
        f"recurra sample {folder} --count 20{report}{label}",
        f'recurra score {folder} "one name" "another name"{label}',
    ]
