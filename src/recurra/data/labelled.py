"""Which reader a user's files need: labelled texts or sequences of vectors, in whatever form.

Each form has a file of its own: examples.py (text), vectors.py, idx.py, images.py.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from recurra.config import is_text
from recurra.data import examples, idx, images, vectors
from recurra.data.examples import Columns, Examples, join
from recurra.errors import DataError, FlagError
from recurra.results import counted
from recurra.text import files

VECTOR_ENDINGS = (".npz", ".ts")
ENDINGS = (*VECTOR_ENDINGS, *sorted(images.ENDINGS))  # of files of vectors, beside idx files


def read(names: Sequence[str], columns: Columns, known: Collection[str] = ()) -> Examples:
    """All examples of the files and folders named, in order.

    A folder with folders in it is a class a folder; any other stands for its files. Files whose
    rows do not bring their labels are a class a file; one such file alone is none, unless it is
    called as one of the `known` labels, of which several may be one class. Raises DataError where
    something is missing, of two kinds at once, or cannot be read.
    """
    paths: list[Path] = []
    parts: list[Examples] = []
    for name in names:
        folder = Path(name)
        if not folder.is_dir():
            paths += files.expand([name])
        elif classes := _class_folders(folder):
            found = _from_folders(folder, classes, columns)
            parts.append(replace(found, beside=len(_visible_files(folder))))
        elif inside := _visible_files(folder):
            paths += inside
        else:
            raise DataError(f"the folder {folder} has no file in it.")
    parts += _from_files(paths, columns, known)
    found = join(parts)
    if not found.inputs:
        left_out = counted(found.left_out, "example")
        empty = f": {left_out} with nothing to read (no text, or no step)" if found.left_out else ""
        raise DataError(f"there is no example in {', '.join(names)}{empty}.")
    if len({isinstance(one, str) for one in found.inputs}) > 1:
        raise DataError(f"{', '.join(names)}: some are text and some vectors; give one kind.")
    _require_text(found)
    return found


def vectors_in(name: str, encoding: str | None = None) -> Examples:
    """The unlabelled sequences of vectors of a file: .npz, .ts, idx or a picture."""
    path = files.expand([name])[0] if not Path(name).is_dir() else Path(name)
    if path.suffix.lower() in VECTOR_ENDINGS or idx.is_idx(path):
        return _vectors(path, encoding, labelled=False)
    if images.is_image(path):
        return Examples([images.read(path)], [], [name], (path,))
    raise DataError(
        f"{name}: this run reads vectors: name an .npz, a .ts, an idx file or a picture."
    )


def _from_files(paths: Sequence[Path], columns: Columns, known: Collection[str]) -> list[Examples]:
    labels = {path for path in paths if idx.is_idx(path) and idx.LABELS in path.name}
    if labels and len(labels) == len(paths):
        raise DataError(
            f"{paths[0]} holds labels alone: name the file of images that they belong to; its "
            "labels are read from the file beside it."
        )
    parts, classes = [], []
    for path in paths:
        if path in labels:
            continue  # read with its images
        if path.suffix.lower() in VECTOR_ENDINGS or idx.is_idx(path):
            parts.append(_vectors(path, columns.encoding, labelled=True))
        elif images.is_image(path):
            raise DataError(f"{path}: pictures need a folder a class, which gives their label.")
        elif path.suffix.lower() == ".npy":
            raise DataError(
                f"{path} is one array, and a classifier needs labels beside it: put both into an "
                ".npz, x and y (see docs/classify.md)."
            )
        elif examples.is_rows(path, columns):
            parts.append(examples.from_rows(path, columns))
        else:
            classes.append(path)
    if len(classes) == 1 and examples.class_names(classes, known)[0] not in known:
        called = ", and its name is no label of the run" if known else ""
        line = "; or say how its lines are written: --line '{text}\\t{label}'"
        raise FlagError(
            f"{files.told(classes[0])} is one file without labels{called}.",
            "Give a file a class; or a .csv or .tsv with a header, or .jsonl"
            f"{line if columns.takes_line else ''}.",
        )
    if not classes:
        return parts
    return [*parts, examples.from_class_files(classes, columns.encoding, known)]


def _vectors(path: Path, encoding: str | None, *, labelled: bool) -> Examples:
    if idx.is_idx(path):
        return idx.from_images(path, labelled=labelled)
    if path.suffix.lower() == ".npz":
        return vectors.from_npz(path, labelled=labelled)
    return vectors.from_ts(path, labelled=labelled, encoding=encoding)


def _require_text(found: Examples) -> None:
    """DataError for a text that no file could hold (JSON may say half a symbol), or such a label.

    A label is one line, too: it heads a row of the tables.
    """
    for one, label, where in zip(found.inputs, found.labels, found.places, strict=True):
        if not is_text(label) or label.splitlines() != [label]:
            raise DataError(
                f"{where}: the label {label!r} is no line of Unicode text. If it is the name of a "
                "file or a folder, rename that."
            )
        if isinstance(one, str) and not is_text(one):
            raise DataError(f"{where}: the text has half a surrogate pair in it: that is no text.")


def _from_folders(folder: Path, classes: dict[str, list[Path]], columns: Columns) -> Examples:
    files_of: dict[bool, list[Path]] = {True: [], False: []}  # by whether they are pictures
    for path in (path for paths in classes.values() for path in paths):
        files_of[images.is_image(path)].append(path)
    if all(files_of.values()):
        raise DataError(
            f"{folder} has pictures and other files, as {files_of[True][0]} and "
            f"{files_of[False][0]}; give one kind."
        )
    if files_of[True]:
        return images.from_class_folders(classes)
    return examples.from_class_folders(classes, columns.encoding)


def _class_folders(folder: Path) -> dict[str, list[Path]]:
    """The files of each folder in `folder`, at any depth, by its name; empty where it has none."""
    inner = sorted(path for path in folder.iterdir() if path.is_dir())
    found = {
        path.name: sorted(
            file for file in path.rglob("*") if file.is_file() and not _hidden(file, folder)
        )
        for path in inner
        if not path.name.startswith(".")
    }
    return {name: paths for name, paths in found.items() if paths}


def _visible_files(folder: Path) -> list[Path]:
    return sorted(
        path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")
    )


def _hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(folder).parts)
