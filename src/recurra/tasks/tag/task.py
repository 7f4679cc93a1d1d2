"""Tagging as a task: what the training loop and the command line ask of it.

Its data are in data.py, its figures and answers in evaluate.py, the network in models/tagger.py.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from recurra import store
from recurra.config import from_json
from recurra.errors import ConfigError
from recurra.models.size import require_room
from recurra.models.tagger import Tagger, shapes
from recurra.results import Evaluation
from recurra.rng import Streams
from recurra.task import InputForm, Loss, Prepared, Validation
from recurra.tasks.tag import config as settings
from recurra.tasks.tag import inventory
from recurra.tasks.tag.data import Batch, Numbered, prepare
from recurra.tasks.tag.evaluate import evaluate, figures, input_form, predict, tagged
from recurra.tasks.tag.inventory import Inventory
from recurra.text.conll import Sentence
from recurra.text.reading import Progress

SHOWN = 40  # words of the sentence shown while training
VALID_WORDS = 30_000  # of a validation while training; `evaluate` gives the exact figures


class TagTask:
    """A tag for every word of a sentence."""

    name = "tag"
    kind = "tagger"
    unit = "word"
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
        sizes = _sizes(assets)
        require_room(shapes(config.model, *sizes))
        return Tagger(config.model, *sizes, rng)

    def loss(
        self, model: nn.Module, batch: Any, carried: Any, generator: torch.Generator | None
    ) -> Loss:
        tagger = cast(Tagger, model)
        sentences, tags = cast(Batch, batch).to(tagger.projection["weight"].device)
        scores = tagger(sentences, generator)
        words = int(sentences.lengths.sum())
        return Loss(tagger.nats(scores, tags, sentences.lengths) / words, words)

    def validate(self, model: nn.Module, valid: Any) -> Validation:
        numbered, found = cast(tuple[Numbered, list[Sentence]], valid)
        words = accumulate(len(sentence.words) for sentence in found)
        count = max(1, sum(total <= VALID_WORDS for total in words))
        some = numbered.first(count)
        tags = list(tagged(cast(Tagger, model), some))
        result = figures(found[:count], tags, numbered.known, lowercase=numbered.lowercase)
        names: tuple[str, ...] = ("accuracy", "span_f1")
        shown = {name: result[name] for name in names if name in result}
        return Validation(1 - result.get("span_f1", result["accuracy"]), shown)

    def illustrate(
        self, model: nn.Module, prepared: Prepared[Any], rng: np.random.Generator
    ) -> str | None:
        if prepared.valid is None:
            return None
        numbered, found = cast(tuple[Numbered, list[Sentence]], prepared.valid)
        one = found[int(rng.integers(len(found)))]
        alone = Numbered([one], numbered.known, lowercase=numbered.lowercase)
        (tags,) = tagged(cast(Tagger, model), alone)
        shown = [
            f"{word}/{tag}" if tag == true else f"{word}/{tag}(not {true})"
            for word, tag, true in zip(one.words, tags, one.tags, strict=True)
        ]
        return " ".join([*shown[:SHOWN], *(["…"] if len(shown) > SHOWN else [])])

    def asset_files(self, assets: Any) -> dict[str, bytes]:
        return {inventory.FILE: cast(Inventory, assets).json()}

    def read_assets(self, folder: Path) -> Any:
        return inventory.read(folder)

    def continued(self, old: Any, *, same_data: bool) -> Any:
        new = settings.Config()
        kept = ("lowercase", "word_column", "tag_column", "encoding")
        data = dataclasses.replace(new.data, **{name: getattr(old.data, name) for name in kept})
        return dataclasses.replace(new, model=old.model, data=old.data if same_data else data)

    def warm_start(self, model: nn.Module, prepared: Prepared[Any], old: Path) -> None:
        record = store.read_record(old)
        there = from_json(settings.Config, record.config, f"{old / store.CONFIG}: config")
        for item in dataclasses.fields(there.model):
            here, before = (getattr(one.model, item.name) for one in (prepared.config, there))
            if here != before and item.name != "dropout":
                raise ConfigError(
                    f"{item.name} = {here!r}, and {before!r} in {old}, the run started from: "
                    "leave it as it was there."
                )
        known = inventory.read(old)
        weights = store.read_tensors(old / store.MODEL, shapes(there.model, *_sizes(known)))
        with torch.no_grad():
            for name, value in model.state_dict().items():
                # new symbols come after the old, in rows (and columns) of their own
                place = tuple(slice(size) for size in weights[name].shape)
                value[place] = torch.from_numpy(weights[name])

    def evaluate(self, folder: Path, files: Sequence[str], asked: Any) -> Evaluation:
        return evaluate(folder, files, asked)

    def input_form(self, folder: Path) -> InputForm:
        return input_form(folder)

    def predict(self, folder: Path, inputs: Sequence[Any], asked: Any) -> list[Any]:
        return list(predict(folder, inputs))


def _sizes(known: Inventory) -> tuple[int, int, int]:
    return len(known.words), len(known.letters), len(known.tags)
