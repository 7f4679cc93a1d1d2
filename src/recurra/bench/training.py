"""`bench training`: a whole step of `recurra train lm` beside the trainer a PyTorch user writes.

Ours is `training.step.take`, the step that training takes, from fetching the window to the weights
moved. Both start from the same weights, and must have the same losses before they are timed.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from recurra import rng
from recurra.bench.agreement import largest, require_same
from recurra.bench.comparison import Case, Comparison
from recurra.bench.ids import VOCAB_SIZE, text_like
from recurra.bench.plain import PlainModel, PlainTrainer
from recurra.data.streams import TokenStreams
from recurra.models.language_model import LanguageModel
from recurra.rng import Streams
from recurra.runtime.settings import NetworkSettings
from recurra.runtime.weights import resolve
from recurra.task import Batches
from recurra.tasks.lm import task as lm
from recurra.training import optimizers, step
from recurra.training.precision import Precision
from recurra.training.resume import Live
from recurra.training.settings import Training
from recurra.training.state import State

TOLERANCE = 1e-3  # nats a token, over CHECKED steps: rounding grows with each step of the weights
CHECKED = 50  # steps
WINDOWS = 200  # of the text; then both begin again
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Setting:
    """A language model and its batches."""

    layers: int
    hidden: int
    batch: int
    steps: int

    @property
    def name(self) -> str:
        """The setting in words."""
        sizes = f"{self.layers}x{self.hidden} LSTM, V={VOCAB_SIZE}"
        return f"training step {sizes} B={self.batch} T={self.steps}"


RECORD = (Setting(2, 128, 50, 50), Setting(1, 512, 64, 64))


def cases() -> list[Case]:
    """The settings of the record."""
    return [case(setting) for setting in RECORD]


def case(setting: Setting) -> Case:
    """The comparison in one setting."""
    return Case(setting.name, lambda: _comparison(setting))


def language_model(hidden: int, layers: int) -> LanguageModel:
    """An LSTM with an embedding of its own size, as `recurra train lm` starts it."""
    settings = resolve(NetworkSettings(hidden_size=hidden, num_layers=layers))
    return LanguageModel(settings, VOCAB_SIZE, rng.generator(0, "init"))


def live(model: nn.Module, training: Training, batches: Batches[object]) -> Live:
    """All that `training.step.take` works on, as a session starts it."""
    for parameter in model.parameters():
        parameter.data = parameter.data.clone()
    optimizer = optimizers.build(training, model)
    precision = Precision(training.precision, CPU)
    kind = training.optimizer
    return Live(model, kind, optimizer, None, precision, batches, Streams(0), State())


def _comparison(setting: Setting) -> Comparison:
    training = Training()
    rate, norm = training.learning_rate, training.clip_norm
    assert norm is not None
    tokens = setting.batch * setting.steps
    ids = text_like(tokens * WINDOWS + 1)
    model = language_model(setting.hidden, setting.layers)
    plain = PlainTrainer(PlainModel(model), ids, setting.batch, setting.steps, rate, norm)
    streams = TokenStreams(ids, setting.batch, setting.steps, rng.generator(0, "order"))
    alive, task = live(model, training, streams), lm.LanguageModelTask()

    def ours() -> float:
        return step.take(task, alive, training, rate).loss_nats

    losses = {"losses": [ours() for _ in range(CHECKED)]}
    expected = {"losses": [plain.step() for _ in range(CHECKED)]}
    who = "the plain PyTorch trainer"
    worst = require_same(who, losses, expected, largest, TOLERANCE)
    same = f"losses of {CHECKED} steps: {worst:.1e} nats a token apart, at most {TOLERANCE:g}"
    return Comparison(ours, {"plain PyTorch": plain.step}, same, "step", tokens=tokens)
