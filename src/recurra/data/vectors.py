"""Sequences of vectors from NumPy's .npz and from .ts, the format of sktime and the UEA archive.

    .npz   equal lengths: x (N, T, I)          any lengths: x (all steps, I) and lengths (N,)
           y (N,): labels, numbers or text, where there are any

Nothing is ever unpickled. A .ts file is read without timestamps and without missing values.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from recurra.data.examples import Examples
from recurra.errors import DataError
from recurra.text.files import opened
from recurra.text.reading import read_text

NOT_FINITE = "has values that are not finite in float32 (NaN, inf, beyond 3.4e38)"


def from_npz(path: Path, *, labelled: bool) -> Examples:
    """The sequences of an .npz file, float32; DataError for one of another form, or damaged."""
    arrays = read_arrays(path, "x, lengths, y")
    x = arrays.get("x")
    if x is None:
        raise DataError(f"{path} has no array 'x'. It has: {', '.join(arrays) or 'none'}.")
    if not (np.issubdtype(x.dtype, np.floating) or np.issubdtype(x.dtype, np.integer)):
        raise DataError(f"{path}: x must hold numbers, not {x.dtype}.")
    lengths = arrays.get("lengths")
    if lengths is None:
        if x.ndim != 3:
            raise DataError(
                f"{path}: x must have shape (N, T, I), or (steps, I) beside lengths (N,), but has "
                f"{x.shape}."
            )
        if not x.shape[1]:  # no step in any, and N may be any number
            return Examples([], [], [], (path,), len(x))
        cut = list(x)
    else:
        cut = _cut(path, x, lengths)
    with np.errstate(over="ignore"):  # what is too large for float32 is refused as not finite
        sequences = [np.asarray(one, np.float32) for one in cut]
    labels = _labels(path, arrays.get("y"), len(sequences)) if labelled else []
    return kept(path, sequences, labels)


def from_ts(path: Path, *, labelled: bool, encoding: str | None = None) -> Examples:
    """The sequences of a .ts file: dimensions become columns (T, I), the last field is the label.

    Raises DataError naming the line of what is ragged, missing or no number, and of a label that
    the header does not list, where it lists any.
    """
    lines = enumerate(read_text(path, encoding).split("\n"), start=1)
    classes, listed = False, []
    for _, line in lines:
        words = line.strip().lower().split()
        if not words or not words[0].startswith("@"):
            continue
        if words[0] == "@data":
            break
        if words[:2] == ["@timestamps", "true"]:
            raise DataError(f"{path} has timestamps: give plain values, a step after the other.")
        if words[0] == "@classlabel":
            classes, listed = words[1:2] == ["true"], line.split()[2:]
    else:
        raise DataError(f"{path} has no @data line: it is not a .ts file.")
    if labelled and not classes:
        raise DataError(f"{path} has no labels: its header says no '@classLabel true'.")
    sequences: list[NDArray[np.float32]] = []
    labels = []
    for number, line in lines:
        if not line.strip():
            continue
        fields = line.strip().split(":")
        if classes:
            labels.append(fields.pop().strip())
            if labelled and "," in labels[-1]:
                raise DataError(
                    f"{path}, line {number} ends in values where its label should stand: is it "
                    "cut short?"
                )
            if labelled and listed and labels[-1] not in listed:
                raise DataError(
                    f"{path}, line {number}: the label {labels[-1]!r} is not one of the header's "
                    f"@classLabel: {', '.join(listed)}."
                )
        sequences.append(_columns(fields, f"{path}, line {number}"))
    return kept(path, sequences, labels if labelled else [])


def kept(path: Path, sequences: list[NDArray[Any]], labels: list[str]) -> Examples:
    """The sequences that have a step, as examples; the others are counted.

    Raises DataError for a value that is not finite, and for steps without a number.
    """
    for number, one in enumerate(sequences, start=1):
        if not one.shape[1]:
            raise DataError(f"{path}, example {number}: a step has no number in it.")
        if one.dtype.kind == "f" and not np.isfinite(one).all():
            raise DataError(f"{path}, example {number}: {NOT_FINITE}.")
    numbers = [number for number, one in enumerate(sequences) if len(one)]
    return Examples(
        [sequences[number] for number in numbers],
        [labels[number] for number in numbers] if labels else [],
        [f"{path}, example {number + 1}" for number in numbers],
        (path,),
        len(sequences) - len(numbers),
    )


def read_arrays(path: Path, wanted: str) -> dict[str, NDArray[Any]]:
    """The arrays of an .npz file by name; DataError where it is damaged or would be unpickled.

    wanted: the names of those that it should hold, for the error. What else is in it and is no
    array is passed over.
    """
    try:
        with opened(path) as raw:
            file = np.load(raw, allow_pickle=False)
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise DataError(f"{path} is one array: save it with numpy.savez under its name.")
            found = {name: file[name] for name in file.files}
    except DataError:
        raise
    except Exception as error:  # of a dozen kinds, from NumPy, zipfile, ast and tokenize
        _refuse(path, error, wanted)
    return {name: one for name, one in found.items() if isinstance(one, np.ndarray)}


def _refuse(path: Path, error: Exception, wanted: str) -> NoReturn:
    advice = f"save plain arrays ({wanted}) with numpy.savez"
    if "Object arrays" in str(error):
        raise DataError(
            f"{path} holds Python objects, and nothing is ever unpickled: {advice}."
        ) from None
    if "allow_pickle" in str(error):  # NumPy takes whatever begins like no file of its own for one
        raise DataError(
            f"{path} is no .npz file, and nothing is ever unpickled, if it is a pickle: {advice}."
        ) from None
    why = str(error) or type(error).__name__
    raise DataError(f"{path} is damaged, or not an .npz file: {why}.") from None


def _cut(path: Path, x: NDArray[Any], lengths: NDArray[Any]) -> list[NDArray[Any]]:
    if x.ndim != 2 or lengths.ndim != 1 or not np.issubdtype(lengths.dtype, np.integer):
        raise DataError(
            f"{path}: beside lengths (N,), whole numbers, x must have shape (steps, I); they are "
            f"{lengths.shape} of {lengths.dtype} and {x.shape}."
        )
    if (lengths < 0).any():
        first = int(np.argmax(lengths < 0))
        raise DataError(
            f"{path}, example {first + 1}: its length is {lengths[first]}, and must be 0 or more."
        )
    total = sum(lengths.tolist())  # of any size: NumPy's sum would go past its integers' end
    if total != len(x):
        raise DataError(
            f"{path}: lengths must add up to the {len(x):,} steps of x; they add up to {total:,}."
        )
    return np.split(x, np.cumsum(lengths)[:-1]) if len(lengths) else []


def _labels(path: Path, y: NDArray[Any] | None, count: int) -> list[str]:
    if y is None:
        raise DataError(f"{path} has no array 'y' with a label for each of {count:,} sequences.")
    if y.shape != (count,) or y.dtype.kind not in "iuU":
        raise DataError(
            f"{path}: y must have shape ({count},) of whole numbers or text, but has {y.shape} of "
            f"{y.dtype}."
        )
    return [str(label) for label in y.tolist()]


def _columns(fields: list[str], where: str) -> NDArray[np.float32]:
    """The dimensions of one line, each 'v,v,v', as (T, I)."""
    try:
        columns = [
            [float(value) for value in field.split(",")] if field.strip() else []
            for field in fields
        ]
    except ValueError as error:
        if "?" in fields or any("?" in field for field in fields):
            raise DataError(f"{where} has missing values (?): fill them in first.") from None
        raise DataError(f"{where}: {error}.") from None
    if not columns or len({len(column) for column in columns}) > 1:
        sizes = ", ".join(str(len(column)) for column in columns)
        raise DataError(f"{where}: its dimensions have different lengths: {sizes or 'none'}.")
    with np.errstate(over="ignore"):  # what is too large for float32 is refused as not finite
        return np.array(columns, np.float32).T
