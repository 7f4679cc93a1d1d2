"""A trained classifier, opened from its run folder: probabilities of inputs, labels as answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from recurra import store
from recurra.class_results import Label
from recurra.config import from_json
from recurra.data import labelled
from recurra.data.examples import Examples
from recurra.data.padded import batches_by_length
from recurra.errors import DataError
from recurra.models.encoder import Encoder, expected_shapes, resolved
from recurra.models.size import require_room
from recurra.tasks.classify import assets as kept
from recurra.tasks.classify.assets import Assets, Scale
from recurra.tasks.classify.config import Answering, Config, Input
from recurra.tasks.classify.data import padded

AT_ONCE = 256  # sequences in a batch where nothing is learned


@dataclass(frozen=True)
class Classifier:
    """Config, assets and network of a run."""

    config: Config
    assets: Assets
    model: nn.Module

    @classmethod
    def open(cls, folder: Path) -> Classifier:
        """The run in `folder`; ConfigError or RunError where it is damaged."""
        config, assets = read_config(folder), kept.read(folder)
        shapes = expected_shapes(config.model, assets.input_size, len(assets.labels))
        require_room(shapes)
        weights = store.read_tensors(folder / store.MODEL, shapes)
        model = build(config, assets, np.random.default_rng(0))
        model.load_state_dict({name: torch.tensor(value) for name, value in weights.items()})
        return cls(config, assets, model.eval())

    def answer(self, inputs: Sequence[Any], asked: Answering) -> list[Label]:
        """The labels of the inputs, in order; of a file of vectors, one for each in it."""
        given, names = self._inputs(inputs)
        sequences = [
            self.assets.sequence(one, self.config.data, name)
            for one, name in zip(given, names, strict=True)
        ]
        shown = [
            one if isinstance(one, str) else name for one, name in zip(given, names, strict=True)
        ]
        probabilities = np.exp(log_probabilities(self.model, sequences, self.assets.scale))
        return [
            ranked(text, self.assets.labels, row, asked.top_k)
            for text, row in zip(shown, probabilities, strict=True)
        ]

    def _inputs(self, inputs: Sequence[Any]) -> tuple[list[Any], list[str]]:
        """What is to be read, and a name for each."""
        given: list[Any] = []
        names: list[str] = []
        for number, one in enumerate(inputs, start=1):
            value = one.text if isinstance(one, Input) else one
            if self.assets.tokenizer is None and isinstance(value, str):
                found = labelled.vectors_in(value, self.config.data.encoding)
                if not found.inputs or found.left_out:
                    raise DataError(_without_steps(value, found))
                given += found.inputs
                names += found.places
            else:
                given.append(value)
                names.append(f"input {number}")
        return given, names


def _without_steps(name: str, found: Examples) -> str:
    """That a file has no sequence, or which of those in it is the first without a step."""
    if not found.inputs:
        return f"{name} has no sequence with a step in it."
    # places are those of what was kept: the first number that is missing was left out
    there = {place.rpartition(" ")[2] for place in found.places}
    first = next(number for number in count(1) if str(number) not in there)
    return f"{name}, example {first} has no step: there is nothing to read."


def build(config: Config, assets: Assets, rng: np.random.Generator) -> Encoder:
    """The network of a run, its initial weights drawn from `rng`, pretrained vectors in place."""
    size = assets.input_size
    require_room(expected_shapes(config.model, size, len(assets.labels)))
    model = Encoder(resolved(config.model, size), size, len(assets.labels), rng)
    if assets.tokenizer is not None and assets.vectors:
        with torch.no_grad():
            for number in range(size.symbols):
                vector = assets.vectors.get(assets.tokenizer.pieces([number])[0])
                if vector is not None:
                    model.embedding["weight"][number] = torch.from_numpy(vector)
    return model


def log_probabilities(
    model: nn.Module, sequences: Sequence[NDArray[Any]], scale: Scale | None
) -> NDArray[np.float64]:
    """ln p (N, C) of each class for each sequence; the model must be in `eval`."""
    device = next(model.parameters()).device
    rows: list[NDArray[np.int64]] = []
    found: list[NDArray[np.float64]] = []
    with torch.no_grad():
        for batch in batches_by_length([len(one) for one in sequences], AT_ONCE):
            values, lengths = padded([sequences[row] for row in batch], scale)
            logits = model(
                torch.from_numpy(values).to(device), torch.from_numpy(lengths).to(device)
            )
            found.append(logits.double().log_softmax(-1).cpu().numpy())
            rows.append(batch)
    together = np.concatenate(found)
    ordered = np.empty_like(together)
    ordered[np.concatenate(rows)] = together
    return ordered


def ranked(given: str, labels: Sequence[str], row: NDArray[np.float64], top_k: int) -> Label:
    """The answer to one input from its probabilities (C,); of equal ones the first label."""
    order = np.argsort(-row, kind="stable")[:top_k]
    return Label(given, tuple((labels[place], float(row[place])) for place in order))


def read_config(folder: Path) -> Config:
    """The settings of the run in `folder`; ConfigError where they are damaged."""
    record = store.read_record(folder)
    return from_json(Config, record.config, f"{folder / store.CONFIG}: config")
