"""Names as a task: what the training loop and the command line ask of it.

The network and how it is sampled and scored are the language model's; what differs is that a
sequence is a name: it begins in the initial state and ends with the stop symbol.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from recurra.data.padded import batches_by_length
from recurra.errors import ConfigError
from recurra.models.language_model import LanguageModel, arrays
from recurra.models.size import require_room
from recurra.models.warm_start import take_over
from recurra.results import Evaluation
from recurra.rng import Streams
from recurra.runtime import KIND, TOKENIZER, expected_shapes, sampling, start
from recurra.runtime import LanguageModel as RuntimeModel
from recurra.task import InputForm, Loss, Prepared, Validation
from recurra.tasks.names import config as settings
from recurra.tasks.names.data import END, Batch, Part, prepare
from recurra.tasks.names.evaluate import AT_ONCE, evaluate, read_config
from recurra.text import tokenizers
from recurra.text.reading import Progress
from recurra.text.tokenizers import Tokenizer

VALID_NAMES = 4000  # of a validation while training; `evaluate` gives the exact figure


class NamesTask:
    """Next-character prediction over names, each by itself."""

    name = "names"
    kind = KIND
    unit = "token"
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
        return prepare(config, files, streams, assets, extend=extend, progress=progress)

    def build(self, config: Any, assets: Any, rng: np.random.Generator) -> nn.Module:
        require_room(expected_shapes(config.model, assets.vocab_size))
        return LanguageModel(config.model, assets.vocab_size, rng)

    def loss(
        self, model: nn.Module, batch: Any, carried: Any, generator: torch.Generator | None
    ) -> Loss:
        inputs, targets, mask = _tensors(model, batch)
        network = cast(LanguageModel, model)
        made = network.training_nats(inputs, targets, mask, generator=generator)
        return Loss(made.mean_nats, int(mask.sum()), gradients=made.gradients)

    def validate(self, model: nn.Module, valid: Any) -> Validation:
        symbols, rows = cast(Part, valid)
        if len(rows) > VALID_NAMES:  # spread evenly: a list may be in an order
            rows = rows[np.linspace(0, len(rows) - 1, VALID_NAMES).astype(np.int64)]
        nats, tokens = 0.0, 0
        for chosen in batches_by_length(symbols.lengths(rows), AT_ONCE):
            inputs, targets, mask = _tensors(model, symbols.batch(rows[chosen]))
            count = int(mask.sum())
            mean, _ = cast(LanguageModel, model).mean_nats(inputs, targets, mask)
            nats += float(mean) * count
            tokens += count
        return Validation(nats / tokens, {"nats_per_token_with_stop": nats / tokens})

    def illustrate(
        self, model: nn.Module, prepared: Prepared[Any], rng: np.random.Generator
    ) -> str | None:
        data, tokenizer = prepared.config.data, cast(Tokenizer, prepared.assets)
        if not data.shown:
            return None
        now = RuntimeModel(prepared.config.model, tokenizer, arrays(model), END, stop=END)
        classes = start.labels(list(tokenizer.special))[: data.shown]
        lines = []
        asked: list[str | None] = [*classes] or [None]
        for label in asked:
            drawn = sampling.sample(
                now,
                length=data.max_length,
                count=data.shown // max(1, len(classes)),
                seed=int(rng.integers(2**31)),
                label=label,
            )
            lines += [f"{label}: {one}" if label else str(one) for one in drawn]
        return "\n".join(lines)

    def asset_files(self, assets: Any) -> dict[str, bytes]:
        return {TOKENIZER: cast(Tokenizer, assets).to_json()}

    def read_assets(self, folder: Path) -> Any:
        return tokenizers.read(folder / TOKENIZER)

    def continued(self, old: Any, *, same_data: bool) -> Any:
        new = settings.Config()
        data = old.data if same_data else new.data
        return dataclasses.replace(new, model=old.model, data=data)

    def warm_start(self, model: nn.Module, prepared: Prepared[Any], old: Path) -> None:
        before, known = read_config(old).model, self.read_assets(old).vocab_size
        take_over(model, prepared.config.model, old, before, known)

    def evaluate(self, folder: Path, files: Sequence[str], asked: Any) -> Evaluation:
        return evaluate(folder, files, asked)

    def input_form(self, folder: Path) -> InputForm:
        return InputForm()

    def predict(self, folder: Path, inputs: Sequence[Any], asked: Any) -> list[Any]:
        raise ConfigError(f"{folder} writes names: ask it with sample or score.")


def _tensors(model: nn.Module, batch: Batch) -> list[torch.Tensor]:
    """Inputs, targets and mask where the model is."""
    device = next(model.parameters()).device
    return [torch.from_numpy(one).to(device) for one in batch]
