"""Whether the text of a run is still there, and still the one it was trained on.

Files are compared in order by their SHA-256: the same files in another order are another text.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from recurra.errors import DataError
from recurra.store import RunRecord
from recurra.text.files import Source


def require_readable(folder: Path, given: Sequence[str], *, own: bool = True) -> None:
    """Nothing if what is given can be read: a file that is there, standard input that is piped in.

    own: whether these are the files that the run in `folder` recorded: a missing one was moved.
    """
    gone = [name for name in given if name != "-" and not os.path.exists(name)]
    if own and gone:
        raise DataError(
            f"there is no file {gone[0]!r}, which {folder} was trained on. Put it back, or say "
            f"where its files are now: recurra resume {folder} FILE …"
        )
    if "-" in given and sys.stdin.isatty():
        raise DataError(
            f"{folder} was trained on standard input: pipe the same text in again "
            f"(… | recurra resume {folder}), or name a file where the command takes one."
        )


def require_held_out(folder: Path, record: RunRecord) -> None:
    """Nothing if the files that a run holds out are there, where it has any of their own."""
    data = record.config.get("data")
    for name in ("valid_file", "test_file"):
        file = data.get(name) if isinstance(data, dict) else None
        if file == "-":
            require_readable(folder, [file])
        elif isinstance(file, str) and not os.path.exists(file):
            flag = f"--{name.replace('_', '-')}"
            raise DataError(
                f"there is no file {file!r}, the {flag} of {folder}. Put it back, or say where it "
                f"is now: recurra resume {folder} {flag} FILE"
            )


def require_own(folder: Path, record: RunRecord) -> None:
    """Nothing if all data of the run in `folder` can be read where they were."""
    require_readable(folder, record.given)
    require_held_out(folder, record)


def require_same(
    folder: Path, recorded: Sequence[Mapping[str, Any]], now: Sequence[Source]
) -> None:
    """Nothing if `now` are the files that the run in `folder` recorded, in their order.

    Raises DataError naming the first that differs.
    """
    for file, source in zip_longest(recorded, now):
        if file is not None and source is not None and file["sha256"] == source.sha256:
            continue
        if file is None:
            what = f"{source.path or source.name} was not there when {folder} was trained"
        elif source is None:
            what = f"{file['path'] or file['name']} is no longer among the files of {folder}"
        else:
            what = (
                f"{source.path or source.name} is not what {folder} was trained on (SHA-256 "
                f"{source.sha256}, recorded for {file['name']}: {file['sha256']})"
            )
        raise DataError(
            f"{what}. Put the files back as they were, or start a new run: "
            f"recurra train … --from {folder}."
        )
