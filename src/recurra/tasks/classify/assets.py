"""What a classifier needs besides its weights: labels, and how an input becomes a sequence.

A text goes through the tokenizer. Vectors are shifted and scaled to mean 0 and deviation 1 over the
training part: each column of measurements by itself, the pixels of images all alike.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra import store
from recurra.data.examples import Examples
from recurra.data.vectors import NOT_FINITE
from recurra.data.word_vectors import Vectors
from recurra.errors import DataError, RunError
from recurra.models.encoder import InputSize
from recurra.results import counted
from recurra.tasks.classify.config import Data
from recurra.text import tokenizers
from recurra.text.tokenizers import Tokenizer

LABELS, TOKENIZER = "labels.json", "tokenizer.json"


@dataclass(frozen=True)
class Scale:
    """(x − shift) / spread, for vectors of I numbers."""

    shift: NDArray[np.float32]  # (I,)
    spread: NDArray[np.float32]  # (I,), above 0


@dataclass(frozen=True)
class Assets:
    """The labels in the order of the logits; a tokenizer, or a scale where the input is vectors."""

    labels: tuple[str, ...]
    tokenizer: Tokenizer | None = None
    scale: Scale | None = None
    vectors: Vectors = field(default_factory=dict)  # pretrained: where the embedding starts

    @property
    def input_size(self) -> InputSize:
        """What a step of an input is."""
        if self.tokenizer is not None:
            unknown = self.tokenizer.unknown_id
            assert unknown is not None, "a classifier's tokenizer has an unknown symbol"
            return InputSize(symbols=self.tokenizer.vocab_size, unknown=unknown)
        assert self.scale is not None
        return InputSize(width=len(self.scale.shift))

    def sequence(self, given: Any, data: Data, where: str) -> NDArray[Any]:
        """The ids (T,), or the vectors (T, I), of one input; DataError where it is of no use."""
        if self.tokenizer is not None:
            return self._ids(given, data, where)[: data.seq_len]
        vectors = given if isinstance(given, np.ndarray) else None
        width = self.input_size.width
        if isinstance(given, str):
            raise DataError(
                f"{where}: this run reads vectors of {counted(width, 'number')}, and this is text."
            )
        if vectors is None or vectors.ndim != 2 or vectors.dtype.kind not in "iuf":
            raise DataError(f"{where}: this run reads vectors: give an array (T, {width}).")
        if vectors.shape[1] != width:
            raise DataError(
                f"{where}: a step has {vectors.shape[1]} numbers, and {width} in the training part."
            )
        if not len(vectors):
            raise DataError(f"{where} has no step: there is nothing to read.")
        with np.errstate(over="ignore"):  # what is too large for float32 is refused as not finite
            vectors = vectors.astype(np.float32) if vectors.dtype.kind == "f" else vectors
        if not np.isfinite(vectors).all():
            raise DataError(f"{where}: {NOT_FINITE}.")
        return vectors[: data.seq_len]

    def _ids(self, given: Any, data: Data, where: str) -> NDArray[Any]:
        assert self.tokenizer is not None
        if not isinstance(given, str):
            vectors = isinstance(given, np.ndarray)
            what = "these are vectors" if vectors else f"this is {given!r:.60}"
            raise DataError(f"{where}: this run reads text, and {what}.")
        if not given.strip():
            raise DataError(f"{where} is empty: there is nothing to read.")
        return self.tokenizer.encode(as_read(given, data))

    def class_numbers(self, examples: Examples) -> NDArray[np.int64]:
        """The class (N,) of each example; DataError naming the first of an unknown label."""
        places = {label: number for number, label in enumerate(self.labels)}
        for label, where in zip(examples.labels, examples.places, strict=True):
            if label not in places:
                known = ", ".join(self.labels[:20])
                raise DataError(
                    f"{where}: the label {label!r} does not occur in the training part. It has: "
                    f"{known}{', …' if len(self.labels) > 20 else ''}."
                )
        return np.array([places[label] for label in examples.labels], np.int64)


def as_read(text: str, data: Data) -> str:
    """The text as the tokenizer gets it."""
    return text.lower() if data.lowercase else text


def fit_scale(train: Examples) -> Scale:
    """The scale of the training part's sequences (T, I); DataError where they differ in width."""
    sequences: Sequence[NDArray[Any]] = train.inputs
    width = sequences[0].shape[1]
    total, squares, steps = np.zeros(width), np.zeros(width), 0
    for one, where in zip(sequences, train.places, strict=True):
        if one.shape[1] != width:
            raise DataError(
                f"{where}: a step has {one.shape[1]} numbers, and {width} in {train.places[0]}: "
                "these are not one kind of vector."
            )
        values = one.astype(np.float64)
        total += values.sum(0)
        squares += np.square(values).sum(0)
        steps += len(one)
    if sequences[0].dtype == np.uint8:  # pixels: a column that is always black has no deviation
        total, squares = np.full(width, total.mean()), np.full(width, squares.mean())
    mean = total / steps
    spread = np.sqrt(np.maximum(squares / steps - np.square(mean), 0))
    constant = spread <= 1e-6 * np.maximum(1, np.abs(mean))  # rounding of a column that never moves
    return Scale(mean.astype(np.float32), np.where(constant, 1, spread).astype(np.float32))


def files(assets: Assets) -> dict[str, bytes]:
    """The files of a run folder that hold the assets."""
    values: dict[str, Any] = {"labels": list(assets.labels)}
    if assets.scale is not None:
        values["shift"] = [float(value) for value in assets.scale.shift]
        values["spread"] = [float(value) for value in assets.scale.spread]
    found = {LABELS: json.dumps(values, ensure_ascii=False, indent=1).encode() + b"\n"}
    if assets.tokenizer is not None:
        found[TOKENIZER] = assets.tokenizer.to_json()
    return found


def read(folder: Path) -> Assets:
    """The assets of the run in `folder`; RunError where they are missing or damaged."""
    path = folder / LABELS
    try:
        values = store.parse(store.read_bytes(path))
    except ValueError as error:
        raise RunError(f"{path} is damaged: {error}.") from error
    labels = values.get("labels") if isinstance(values, dict) else None
    if not isinstance(labels, list) or len(labels) < 2 or any(type(x) is not str for x in labels):
        raise RunError(f"{path} is damaged: it must list two labels or more.")
    if len(set(labels)) < len(labels):
        raise RunError(f"{path} is damaged: a label stands in it twice.")
    if "shift" in values and (folder / TOKENIZER).exists():
        raise RunError(
            f"{path} is damaged: it has the shift of a run on vectors, and {TOKENIZER} beside it "
            "is of one on texts."
        )
    if "shift" not in values:
        return Assets(tuple(labels), tokenizers.read(folder / TOKENIZER))
    shift, spread = (_numbers(values.get(name)) for name in ("shift", "spread"))
    if shift is None or spread is None or len(shift) != len(spread) or (spread <= 0).any():
        raise RunError(f"{path} is damaged: shift and spread must be numbers, a column each.")
    return Assets(tuple(labels), scale=Scale(shift, spread))


def _numbers(values: Any) -> NDArray[np.float32] | None:
    if not isinstance(values, list) or not values or any(type(x) is not float for x in values):
        return None
    found = np.array(values, np.float32)
    return found if np.isfinite(found).all() else None
