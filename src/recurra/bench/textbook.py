"""`bench textbook`: min-char-rnn's iteration in our layers beside the lecture's NumPy program.

Theirs are float64: the lecture's way, a time step at a time, and `recurra.textbook.MinCharRNN`,
which needs a third of its time with larger products. Ours does the same in
float32 by `training.step.take`: one-hot input, gradients cut, Adagrad.

The lecture's loss is the sum over a chunk of T characters, its gradients cut at ±5; ours is the
mean, so they are cut at ±5 ÷ T. Adagrad does not see their scale, if what it begins with is scaled
too.

The learning rate is .01 for both. At the lecture's .1 the first steps throw the network into a
state in which float32 and float64 part within five iterations; an iteration costs the same.
"""

from __future__ import annotations

import numpy as np
import torch

from recurra import rng
from recurra.bench.agreement import largest, require_same
from recurra.bench.comparison import Case, Comparison
from recurra.bench.ids import ALPHABET, VOCAB_SIZE, text_like
from recurra.bench.lecture import StepByStep
from recurra.bench.timing import Program
from recurra.bench.training import live
from recurra.data.streams import TokenStreams
from recurra.models.language_model import LanguageModel
from recurra.runtime.settings import NetworkSettings
from recurra.tasks.lm import task as lm
from recurra.textbook import MinCharRNN
from recurra.training import step
from recurra.training.settings import Training

STEPS, TEXTBOOK = "NumPy step by step", "recurra.textbook"
HIDDEN, LENGTH = 100, 25  # the lecture's
RATE = 0.01  # Adagrad's
CUT = 5.0  # of each value of the sum's gradient
CHUNKS = 20_000  # of the text; then both begin again
TOLERANCE = 1e-3  # nats a character, over CHECKED iterations in float32 and float64
CHECKED = 50  # iterations
NAMES = {  # in our model: in the lecture's
    "recurrent.l0.weight_ih": "Wxh",
    "recurrent.l0.weight_hh": "Whh",
    "recurrent.l0.bias": "bh",
    "projection.weight": "Why",
    "projection.bias": "by",
}


def cases() -> list[Case]:
    """The lecture's sizes."""
    return [case(HIDDEN, LENGTH)]


def case(hidden: int, length: int) -> Case:
    """The comparison for so many units and characters a chunk."""
    name = f"min-char-rnn iteration H={hidden} T={length} V={VOCAB_SIZE}"
    return Case(name, lambda: _comparison(hidden, length))


def _comparison(hidden: int, length: int) -> Comparison:
    ids = text_like(length * CHUNKS + 1)
    text = "".join(ALPHABET[index] for index in ids)
    theirs = {
        STEPS: StepByStep(text, hidden, length, RATE),
        TEXTBOOK: MinCharRNN(text, hidden, length, RATE),
    }
    start = theirs[TEXTBOOK]
    ids = np.array(start.data, np.uint16)
    training = Training(
        optimizer="adagrad", learning_rate=RATE, clip_norm=None, clip_value=CUT / length
    )
    streams = TokenStreams(ids, 1, length, rng.generator(0, "order"))
    alive = live(_model(start), training, streams)
    for kept in alive.optimizer.state.values():
        kept["sum"] /= length**2
    task = lm.LanguageModelTask()

    def ours() -> float:
        return step.take(task, alive, training, training.learning_rate).loss_nats

    losses = {"losses": [ours() for _ in range(CHECKED)]}
    worst = 0.0
    for who, program in theirs.items():
        expected = {"losses": [program.step() / length for _ in range(CHECKED)]}
        worst = max(worst, require_same(who, losses, expected, largest, TOLERANCE))
    same = f"losses of {CHECKED} iterations: {worst:.1e} nats a character apart, "
    same += f"at most {TOLERANCE:g}"
    programs: dict[str, Program] = {who: program.step for who, program in theirs.items()}
    return Comparison(ours, programs, same, "iteration", tokens=length)


def _model(theirs: MinCharRNN) -> LanguageModel:
    """The same network with the same weights."""
    hidden, symbols = theirs.parameters["Wxh"].shape
    settings = NetworkSettings(cell="rnn", hidden_size=hidden, embedding_size=0)
    model = LanguageModel(settings, symbols, rng.generator(0, "init"))
    weights = {ours: torch.from_numpy(theirs.parameters[name]) for ours, name in NAMES.items()}
    model.load_state_dict(weights)
    return model
