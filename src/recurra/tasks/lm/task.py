"""The language model as a task: what the training loop and the command line ask of it.

Its data are in data.py, its figures in evaluate.py; scoring and sampling are the runtime's.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from recurra.data.streams import Window, eval_streams
from recurra.data.token_file import Array
from recurra.errors import ConfigError
from recurra.models.language_model import LanguageModel, arrays
from recurra.models.size import require_room
from recurra.models.warm_start import take_over
from recurra.results import Evaluation
from recurra.rng import Streams
from recurra.runtime import CONTEXT, KIND, TOKENIZER, expected_shapes, sampling
from recurra.runtime import LanguageModel as RuntimeModel
from recurra.task import InputForm, Loss, Prepared, Validation
from recurra.tasks.lm import config as settings
from recurra.tasks.lm.data import prepare
from recurra.tasks.lm.evaluate import evaluate, read_config
from recurra.text import tokenizers
from recurra.text.reading import Progress
from recurra.text.tokenizers import Tokenizer

VALID_TOKENS = 20_000  # of a validation while training; `evaluate` gives the exact figure
VALID_STREAMS = 32
VALID_STEPS = 256  # at a time, to bound what is held at once
TEMPERATURE = 0.8  # of the samples drawn while training: less noise than 1, little repetition


class LanguageModelTask:
    """Next-symbol prediction over one long text, by stateful truncated BPTT."""

    name = "lm"
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
        network, window = cast(LanguageModel, model), cast(Window, batch)
        device = network.device
        inputs = torch.from_numpy(window.inputs).to(device)
        targets = torch.from_numpy(window.targets).to(device)
        before = None if window.first else carried
        made = network.training_nats(inputs, targets, state=before, generator=generator)
        return Loss(made.mean_nats, targets.numel(), made.state, made.gradients)

    def validate(self, model: nn.Module, valid: Any) -> Validation:
        inputs, targets = (
            torch.from_numpy(ids).to(next(model.parameters()).device)
            for ids in eval_streams(cast(Array, valid), VALID_STREAMS, VALID_TOKENS)
        )
        state, nats = None, 0.0
        for start in range(0, len(inputs), VALID_STEPS):
            part = slice(start, start + VALID_STEPS)
            wanted = targets[part]
            mean, state = cast(LanguageModel, model).mean_nats(inputs[part], wanted, state=state)
            nats += float(mean) * wanted.numel()
        found = nats / targets.numel()
        return Validation(found, {"nats_per_token_valid_streams": found})

    def illustrate(
        self, model: nn.Module, prepared: Prepared[Any], rng: np.random.Generator
    ) -> str | None:
        data = prepared.config.data
        if not data.sample_length:
            return None
        context = prepared.facts[CONTEXT]
        now = RuntimeModel(prepared.config.model, prepared.assets, arrays(model), context)
        seed = int(rng.integers(2**31))
        (drawn,) = sampling.sample(
            now, data.prompt, length=data.sample_length, temperature=TEMPERATURE, seed=seed
        )
        return str(drawn)

    def asset_files(self, assets: Any) -> dict[str, bytes]:
        return {TOKENIZER: cast(Tokenizer, assets).to_json()}

    def read_assets(self, folder: Path) -> Any:
        return tokenizers.read(folder / TOKENIZER)

    def continued(self, old: Any, *, same_data: bool) -> Any:
        new = settings.Config()
        data = old.data if same_data else dataclasses.replace(new.data, tokens=old.data.tokens)
        return dataclasses.replace(new, model=old.model, data=data)

    def warm_start(self, model: nn.Module, prepared: Prepared[Any], old: Path) -> None:
        before, known = read_config(old).model, self.read_assets(old).vocab_size
        take_over(model, prepared.config.model, old, before, known)

    def evaluate(self, folder: Path, files: Sequence[str], asked: Any) -> Evaluation:
        return evaluate(folder, files, asked)

    def input_form(self, folder: Path) -> InputForm:
        return InputForm()

    def predict(self, folder: Path, inputs: Sequence[Any], asked: Any) -> list[Any]:
        raise ConfigError(f"{folder} is a language model: ask it with sample or score.")
