"""A second task, for tests alone: is the sum of a 0/1 sequence odd? Padded, many-to-one.

With `carry` the state after a batch is where the next begins, so that resuming must keep it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from recurra import cells, store
from recurra.config import option, to_json
from recurra.errors import ConfigError
from recurra.layers.dropout import Dropout
from recurra.layers.stack import Stack
from recurra.results import Evaluation
from recurra.rng import Streams
from recurra.task import InputForm, Loss, Prepared, Source, Validation
from recurra.training.loop import Outcome, train
from recurra.training.settings import Training
from recurra.training.watch import Quiet, Watcher


@dataclass(frozen=True, kw_only=True)
class Network:
    """The tiny network."""

    hidden_size: int = option(8, "units")
    dropout: float = option(0.0, "before the last layer")
    carry: bool = option(False, "begin with the state of the batch before")


@dataclass(frozen=True, kw_only=True)
class Data:
    """The made-up data."""

    examples: int = option(24, "sequences to train on; as many again are held out")
    longest: int = option(5, "bits of the longest sequence")
    held_out: bool = option(True, "whether there is a held-out part")


def _training() -> Training:
    return Training(steps=60, batch_size=8, learning_rate=0.02, validate_every=10, sample_every=25)


@dataclass(frozen=True, kw_only=True)
class Config:
    """All settings."""

    model: Network = field(default_factory=Network)
    data: Data = field(default_factory=Data)
    training: Training = field(default_factory=_training)


class Batch(NamedTuple):
    """Sequences side by side."""

    bits: Tensor  # (T, B, 1), padded with ones: reading the padding would spoil the answer
    lengths: Tensor  # (B,)
    odd: Tensor  # (B,), 0 or 1


class Walk:
    """Endless shuffled batches."""

    def __init__(self, batch: Batch, size: int, order: np.random.Generator) -> None:
        self.all, self.size, self.order = batch, min(size, len(batch.odd)), order
        self.position = 0
        self.permutation: list[int] = []

    @property
    def steps_per_epoch(self) -> int:
        return len(self.all.odd) // self.size

    def next(self) -> Batch:
        if self.position % self.steps_per_epoch == 0:
            self.permutation = self.order.permutation(len(self.all.odd)).tolist()
        begin = self.position % self.steps_per_epoch * self.size
        rows = torch.tensor(self.permutation[begin : begin + self.size])
        self.position += 1
        return Batch(self.all.bits[:, rows], self.all.lengths[rows], self.all.odd[rows])

    def state(self) -> dict[str, Any]:
        return {"position": self.position, "permutation": self.permutation}

    def restore(self, state: dict[str, Any]) -> None:
        self.position, self.permutation = state["position"], list(state["permutation"])


class Net(nn.Module):
    """A GRU and one linear unit."""

    def __init__(self, network: Network, rng: np.random.Generator) -> None:
        super().__init__()
        self.recurrent = Stack(cells.load("gru"), 1, network.hidden_size, rng=rng)
        self.dropout = Dropout(network.dropout)
        weights = rng.uniform(-0.3, 0.3, network.hidden_size).astype(np.float32)
        self.weight = nn.Parameter(torch.from_numpy(weights)[None])
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(
        self, batch: Batch, state: Any, generator: torch.Generator | None
    ) -> tuple[Tensor, Any]:
        _, after = self.recurrent(batch.bits, state, batch.lengths)
        last = self.dropout(after[-1].hidden[None], generator)[0]  # (B, H)
        return (last @ self.weight.T + self.bias)[:, 0], after


class Parity:
    """The task."""

    name: ClassVar[str] = "parity"
    kind: ClassVar[str] = "classifier"
    unit: ClassVar[str] = "example"
    carry = False  # as the config says; `fit` puts it here
    Config: ClassVar[type[Any]] = Config
    Input: ClassVar[type[Any]] = Data
    Answering: ClassVar[type[Any]] = Data
    Evaluating: ClassVar[type[Any]] = Data

    def prepare(
        self,
        config: Any,
        files: Sequence[str],
        streams: Streams,
        assets: Any = None,
        *,
        extend: bool = False,
        progress: object = None,
    ) -> Prepared[Batch]:
        rng = np.random.default_rng(0)
        train_part = _examples(rng, config.data)
        valid = _examples(rng, config.data) if config.data.held_out else None
        walk = Walk(train_part, config.training.batch_size, streams.order)
        source = Source("/somewhere/bits.txt", "bits.txt", 3, "0" * 64)
        facts = {"longest sequence": config.data.longest}
        return Prepared(config, "the labels", walk, valid, (source,), facts=facts)

    def build(self, config: Any, assets: Any, rng: np.random.Generator) -> nn.Module:
        return Net(config.model, rng)

    def loss(
        self, model: nn.Module, batch: Batch, carried: Any, generator: torch.Generator | None
    ) -> Loss:
        logits, after = model(batch, carried, generator)
        nats = nn.functional.binary_cross_entropy_with_logits(logits, batch.odd)
        return Loss(nats, len(batch.odd), after if self.carry else None)

    def validate(self, model: nn.Module, valid: Any) -> Validation:
        logits, _ = model(valid, None, None)
        nats = float(nn.functional.binary_cross_entropy_with_logits(logits, valid.odd))
        right = float(((logits > 0) == (valid.odd > 0)).double().mean())
        return Validation(nats, {"nats_per_sequence": nats, "accuracy": right})

    def illustrate(
        self, model: nn.Module, prepared: Prepared[Any], rng: np.random.Generator
    ) -> str | None:
        one = _examples(rng, Data(examples=1))
        logits, _ = model(one, None, None)
        bits = one.bits[: int(one.lengths[0]), 0, 0].int().tolist()
        return f"{bits} is {'odd' if float(logits[0]) > 0 else 'even'}"

    def asset_files(self, assets: Any) -> dict[str, bytes]:
        return {"labels.json": b'["even", "odd"]\n'}

    def read_assets(self, folder: Path) -> Any:
        return "the labels"

    def continued(self, old: Any, *, same_data: bool) -> Any:
        return replace(old, training=_training())

    def warm_start(self, model: nn.Module, prepared: Prepared[Any], old: Path) -> None:
        weights = store.read_tensors(old / store.MODEL)
        model.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})

    def evaluate(self, folder: Path, files: Sequence[str], asked: Any) -> Evaluation:
        raise ConfigError("parity evaluates nothing")

    def input_form(self, folder: Path) -> InputForm:
        return InputForm()

    def predict(self, folder: Path, inputs: Sequence[Any], asked: Any) -> list[Any]:
        raise ConfigError("parity predicts nothing")


def _examples(rng: np.random.Generator, data: Data) -> Batch:
    lengths = rng.integers(1, data.longest + 1, data.examples)
    bits = rng.integers(0, 2, (data.longest, data.examples))
    real = np.arange(data.longest)[:, None] < lengths
    odd = (bits * real).sum(0) % 2
    padded = np.where(real, bits, 1).astype(np.float32)
    return Batch(
        torch.from_numpy(padded)[..., None],
        torch.from_numpy(lengths),
        torch.from_numpy(odd.astype(np.float32)),
    )


def fit(
    folder: Path,
    config: Config,
    *,
    resume: bool = False,
    seed: int = 0,
    watcher: Watcher | None = None,
    task: Parity | None = None,
) -> Outcome:
    """Trains a parity run as the API does: new, or on with the one in `folder`."""
    task = task or Parity()
    task.carry = config.model.carry
    streams = Streams(seed)
    prepared = task.prepare(config, [], streams)
    model = task.build(config, None, streams.init)
    if resume:
        record = replace(store.read_record(folder), config=to_json(config))
    else:
        record = store.RunRecord(
            kind=task.kind,
            task=task.name,
            seed=seed,
            version="0",
            config=to_json(config),
            files=[vars(source) for source in prepared.sources],
            command="recurra train parity /somewhere/bits.txt",
            facts=dict(prepared.facts),
        )
    return train(
        task,
        prepared,
        model,
        folder,
        record=record,
        streams=streams,
        device=torch.device("cpu"),
        watcher=watcher or Quiet(),
        resume=resume,
    )
