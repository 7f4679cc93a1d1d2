"""The Task protocol: all that training, the command line and the API know of a task.

A folder in `tasks/` *is* a task: its module has one class that fulfils `Task`. Nothing above this
file asks for a task by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from recurra.config import from_json, require
from recurra.errors import ConfigError, did_you_mean
from recurra.results import Evaluation
from recurra.rng import Streams
from recurra.text.files import Source as Source

Batch = TypeVar("Batch")
B_co = TypeVar("B_co", covariant=True)
Json = dict[str, Any]


class Batches(Protocol[B_co]):
    """The training part as an endless walk of batches, whose position is a JSON value."""

    @property
    def steps_per_epoch(self) -> int:
        """Batches in one pass."""

    def next(self) -> B_co:
        """The next batch; after an epoch's last comes the first of the next epoch."""

    def state(self) -> Json:
        """Where the walk stands, generators included."""

    def restore(self, state: Json) -> None:
        """Goes back to where `state` stood."""


@dataclass
class Prepared(Generic[Batch]):
    """A task's data, read and encoded, and what must be kept with a model made from it."""

    config: Any  # the task's Config with what the data decided filled in
    assets: Any  # what the model needs besides weights: the tokenizer, the labels
    train: Batches[Batch]
    valid: Any  # the task's own form of the held-out part, or None where nothing is held out
    sources: tuple[Source, ...]
    notes: tuple[str, ...] = ()  # what a user must be told, a sentence each
    facts: Mapping[str, Any] = field(default_factory=dict)  # for the model card: symbols, sizes


@dataclass(frozen=True)
class Loss:
    """What one batch gives back to the loop."""

    mean_nats: Tensor  # the scalar to differentiate: nats a prediction, averaged over the batch
    tokens: int  # how many predictions that mean is over; the task's `unit` says of what
    carried: Any = None  # state for the next batch: None or a (nested) tuple of detached tensors
    # of mean_nats by model.parameters(), all of them, where they came with it: then it has no
    # history, and what is carried is new. Good until the next loss; not with a loss scale
    gradients: list[Tensor] | None = None


@dataclass(frozen=True)
class Validation:
    """The figures of one validation; `score` chooses the best model, lower is better."""

    score: float
    figures: Mapping[str, float]  # keys name unit and protocol, as evaluate's do; not the part


@dataclass(frozen=True, kw_only=True)
class InputForm:
    """How the inputs of a run stand in files, beside what every task reads: tables, JSON, lines."""

    columns: Mapping[str, str] = field(default_factory=dict)  # a field's name there, if another
    encoding: str | None = None  # as the run's data have it
    files: bool = False  # whether an input's text is itself the name of a file
    endings: tuple[str, ...] = ()  # of the files that `read` reads
    # the inputs of a file of the task's own form, and how many blank ones were left out
    read: Callable[[Path], tuple[list[Any], int]] | None = None


def endings_of(files: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The endings that the files of a run's record have, in lower case."""
    return tuple(sorted({Path(file["name"]).suffix.lower() for file in files} - {""}))


def as_input(kind: type[Any], given: object) -> Any:
    """A text, a tuple or a table (dict) of its fields as a task's Input; anything else as it is.

    A text is the value of the one field there is. What a task takes beside its Input, as arrays, is
    its own business. Raises ConfigError for fields that do not fit.
    """
    if not isinstance(given, str | tuple | dict):
        return given
    names = [item.name for item in fields(kind)]
    wanted = f"{kind.__name__}({', '.join(names)})"
    if isinstance(given, dict):
        for name in given:
            if name not in names:
                near = did_you_mean(str(name), names)
                raise ConfigError(f"an input has no field {name!r}: it is {wanted}.{near}")
        return from_json(kind, given, "input")
    row = (given,) if isinstance(given, str) else given
    require(len(row) == len(names), "input", given, f"must be the fields of {wanted}")
    return from_json(kind, dict(zip(names, row, strict=True)), "input")


class Task(Protocol):
    """What a task gives: its settings, its data, a model, a loss in nats, figures, an answer."""

    name: ClassVar[str]
    kind: ClassVar[str]  # of model: "language_model" is what the runtime opens
    unit: ClassVar[str]  # what one prediction is about, as it is counted: token, word, example
    Config: ClassVar[type[Any]]  # frozen; nests `model`, `data`, `training: Training`
    Input: ClassVar[type[Any]]  # one example as a user gives it; the arguments of `predict`
    Answering: ClassVar[type[Any]]  # what may be asked of an answer; the flags of `predict`
    Evaluating: ClassVar[type[Any]]  # what may be asked of an evaluation; the flags of `evaluate`

    def prepare(
        self,
        config: Any,
        files: Sequence[str],
        streams: Streams,
        assets: Any = None,
        *,
        extend: bool = False,
        progress: Callable[[int, int], None] | None = None,
    ) -> Prepared[Any]:
        """The data of `files` (of the built-in set where there are none), split and encoded.

        `assets` are those of a run that is resumed (used as they are) or started from (`extend`:
        symbols they lack are added after theirs). `progress` is told of bytes read, of how many.
        """

    def build(self, config: Any, assets: Any, rng: np.random.Generator) -> nn.Module:
        """The model, its initial weights drawn from `rng` alone."""

    def loss(
        self, model: nn.Module, batch: Any, carried: Any, generator: torch.Generator | None
    ) -> Loss:
        """The loss of one training batch; `generator` is dropout's."""

    def validate(self, model: nn.Module, valid: Any) -> Validation:
        """The figures on the held-out part while training: bounded work, dropout off."""

    def illustrate(
        self, model: nn.Module, prepared: Prepared[Any], rng: np.random.Generator
    ) -> str | None:
        """A short text that shows what the model does now (a sample), or None."""

    def asset_files(self, assets: Any) -> dict[str, bytes]:
        """The files of the run folder that hold the assets, by name."""

    def read_assets(self, folder: Path) -> Any:
        """The assets from a run folder's files; RunError where they are damaged."""

    def continued(self, old: Any, *, same_data: bool) -> Any:
        """The Config that a run which starts from one with Config `old` begins with.

        It keeps the network and what the assets fix, and with `same_data` how the data were read
        and split. Training starts afresh.
        """

    def warm_start(self, model: nn.Module, prepared: Prepared[Any], old: Path) -> None:
        """Copies the weights of the run in folder `old` into `model`; new symbols keep their rows.

        Raises ConfigError where the two networks differ, RunError where `old` is damaged.
        """

    def evaluate(self, folder: Path, files: Sequence[str], asked: Any) -> Evaluation:
        """The figures of the run in `folder` on `files` (on its own held-out part without)."""

    def input_form(self, folder: Path) -> InputForm:
        """How files hold the inputs of the run in `folder`."""

    def predict(self, folder: Path, inputs: Sequence[Any], asked: Any) -> list[Any]:
        """One answer an input; ConfigError where the task has no `predict`."""
