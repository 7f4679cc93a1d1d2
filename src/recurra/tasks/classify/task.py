"""Classification as a task: what the training loop and the command line ask of it.

Its data are in data.py, what a trained one answers in classifier.py, its figures in evaluate.py.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from recurra import store
from recurra.data import examples, labelled
from recurra.errors import ConfigError
from recurra.models.encoder import expected_shapes, resolved
from recurra.results import Evaluation
from recurra.rng import Streams
from recurra.task import InputForm, Loss, Prepared, Validation, endings_of
from recurra.tasks.classify import assets as kept
from recurra.tasks.classify import config as settings
from recurra.tasks.classify.assets import Assets
from recurra.tasks.classify.classifier import (
    Classifier,
    build,
    log_probabilities,
    ranked,
    read_config,
)
from recurra.tasks.classify.data import Batch, Part, prepare
from recurra.tasks.classify.evaluate import evaluate
from recurra.text.reading import Progress

VALID_EXAMPLES = 10_000  # of a validation while training; `evaluate` takes all
FREE_AT_WARM_START = ("dropout", "token_dropout")  # settings without a weight of their own
BY_SYMBOL, BY_CLASS = ("embedding.",), ("projection.",)  # weights with a row for each


class ClassificationTask:
    """One label for a whole sequence."""

    name = "classify"
    kind = "classifier"
    unit = "example"
    Config = settings.Config
    Input = settings.Input
    Answering = settings.Answering
    Evaluating = settings.Evaluating

    def prepare(
        self,
        config: Any,
        files: Sequence[str],
        streams: Streams,
        assets: Any = None,
        *,
        extend: bool = False,
        progress: Progress | None = None,
    ) -> Prepared[Any]:
        return prepare(config, files, streams, assets, extend=extend)

    def build(self, config: Any, assets: Any, rng: np.random.Generator) -> nn.Module:
        return build(config, assets, rng)

    def loss(
        self, model: nn.Module, batch: Any, carried: Any, generator: torch.Generator | None
    ) -> Loss:
        device = next(model.parameters()).device
        values, lengths, classes, weights = (
            torch.from_numpy(array).to(device) for array in cast(Batch, batch)
        )
        logits = model(values, lengths, generator)
        nats = nn.functional.cross_entropy(logits, classes, reduction="none")  # (B,)
        return Loss((nats * weights).sum() / weights.sum(), len(classes))

    def validate(self, model: nn.Module, valid: Any) -> Validation:
        part = cast(Part, valid)
        rows = np.linspace(0, len(part.classes) - 1, min(VALID_EXAMPLES, len(part.classes)))
        chosen = rows.round().astype(np.int64)
        found = log_probabilities(model, [part.sequences[row] for row in chosen], part.scale)
        classes = part.classes[chosen]
        nats = -float(found[np.arange(len(classes)), classes].mean())
        wrong = found.argmax(1) != classes
        weights = part.weights[classes].astype(np.float64)
        # the share that is wrong, weighted as the loss is; nats decide between equals
        score = float((weights * wrong).sum() / weights.sum()) + nats / (1 + nats) / len(classes)
        figures = {"accuracy": float(1 - wrong.mean()), "nats_per_example": nats}
        return Validation(score, figures)

    def illustrate(
        self, model: nn.Module, prepared: Prepared[Any], rng: np.random.Generator
    ) -> str | None:
        part: Part | None = prepared.valid
        if part is None:
            return None
        row = int(rng.integers(len(part.classes)))
        found = log_probabilities(model, [part.sequences[row]], part.scale)
        given = part.examples.inputs[row]
        # of vectors the file's name alone: the text goes into the card, which is passed on
        shown = given if isinstance(given, str) else Path(part.examples.places[row]).name
        answer = ranked(shown, prepared.assets.labels, np.exp(found[0]), settings.Answering().top_k)
        return f"{answer}\nthe label there: {part.examples.labels[row]}"

    def asset_files(self, assets: Any) -> dict[str, bytes]:
        return kept.files(cast(Assets, assets))

    def read_assets(self, folder: Path) -> Any:
        return kept.read(folder)

    def continued(self, old: Any, *, same_data: bool) -> Any:
        new = settings.Config()
        how = dataclasses.replace(
            new.data, tokens=old.data.tokens, lowercase=old.data.lowercase, seq_len=old.data.seq_len
        )
        data = dataclasses.replace(old.data, vectors=None) if same_data else how
        return dataclasses.replace(new, model=old.model, data=data)

    def warm_start(self, model: nn.Module, prepared: Prepared[Any], old: Path) -> None:
        config, assets = read_config(old), kept.read(old)
        size = assets.input_size
        here, there = prepared.config.model, resolved(config.model, size)
        for item in dataclasses.fields(there):
            value, before = getattr(here, item.name), getattr(there, item.name)
            if value != before and item.name not in FREE_AT_WARM_START:
                raise ConfigError(
                    f"{item.name} = {value!r}, and {before!r} in {old}, the run started from: "
                    "leave it as it was there."
                )
        shapes = expected_shapes(there, size, len(assets.labels))
        weights = store.read_tensors(old / store.MODEL, shapes)
        for name, value in model.state_dict().items():
            place: tuple[slice, ...] = ()
            if name.startswith((*BY_SYMBOL, *BY_CLASS)):
                place = (slice(len(weights[name])),)  # new symbols and classes stand behind
            value[place] = torch.from_numpy(weights[name])  # the state_dict's are the model's own

    def evaluate(self, folder: Path, files: Sequence[str], asked: Any) -> Evaluation:
        return evaluate(folder, files, asked)

    def input_form(self, folder: Path) -> InputForm:
        data = read_config(folder).data
        own = endings_of(store.read_record(folder).files)
        form = InputForm(columns={"text": data.text_column}, encoding=data.encoding)

        def of_vectors(path: Path) -> tuple[list[Any], int]:
            return [settings.Input(text=str(path))], 0

        def of_lines(path: Path) -> tuple[list[Any], int]:
            found = examples.from_rows(path, data.columns)
            return found.inputs, found.left_out

        if kept.read(folder).tokenizer is None:
            endings = (*own, *labelled.ENDINGS, "")  # "": idx files often have none
            return dataclasses.replace(form, files=True, endings=endings, read=of_vectors)
        return dataclasses.replace(form, endings=own, read=of_lines) if data.line else form

    def predict(self, folder: Path, inputs: Sequence[Any], asked: Any) -> list[Any]:
        return list(Classifier.open(folder).answer(inputs, asked)) if inputs else []
