"""The settings of training, the same for every task: a task overrides defaults in its instance."""

from __future__ import annotations

from dataclasses import dataclass

from recurra.config import option, require, require_one_of

OPTIMIZERS = ("adam", "adamw", "adagrad", "rmsprop", "sgd")
SCHEDULES = ("constant", "exponential", "cosine", "plateau")
BUDGETS = ("steps", "epochs", "minutes")  # at most one of them is given
PRECISIONS = ("float32", "bfloat16", "float16")


@dataclass(frozen=True, kw_only=True)
class Training:
    """How long, how fast and how carefully to train."""

    steps: int | None = option(
        None, "budget in optimizer steps, repeatable bit for bit", why="3 minutes without a budget"
    )
    epochs: float | None = option(
        None,
        "budget in passes over the training part, repeatable",
        why="3 minutes without a budget",
    )
    minutes: float | None = option(
        None,
        "budget in minutes of training; the schedule follows the clock: not repeatable",
        why="3 where no budget is given",
    )
    batch_size: int = option(64, "sequences in a batch", why="a guess")
    optimizer: str = option(
        "adam", f"one of {', '.join(OPTIMIZERS)}", why="kingma2015; adamw: loshchilov2019"
    )
    learning_rate: float = option(
        4e-3,
        "the highest step size of the schedule",
        why="tinyshakespeare: 1.538 nats after 8 passes of the default network",
    )
    momentum: float = option(0.9, "of sgd, in [0, 1)", why="sutskever2013")
    weight_decay: float | None = option(
        None,
        "per step, times the learning rate; not of biases; none: adamw 0.1, the others 0",
        why="tinyshakespeare, 34 passes: 1.546 nats without, 1.493 with adamw and 0.1",
    )
    schedule: str = option("cosine", f"one of {', '.join(SCHEDULES)}", why="loshchilov2017")
    warmup: float = option(
        0.02, "share of the budget in which the rate rises from 0, in [0, 1)", why="a guess"
    )
    final_rate: float = option(
        0.02, "cosine's last rate, as a share of learning_rate", why="a guess"
    )
    decay: float = option(0.97, "exponential's factor an epoch", why="char-rnn's default")
    decay_after: float = option(10.0, "epochs before exponential starts", why="char-rnn's default")
    patience: int = option(
        3, "plateau: validations without a better one before the rate halves", why="a guess"
    )
    clip_norm: float | None = option(
        1.0, "longer gradients are scaled to this L2 norm; none: off", why="pascanu2013's method"
    )
    clip_value: float | None = option(
        None, "each gradient value is cut to ± this; none: off", why="the norm is clipped instead"
    )
    accumulate: int = option(
        1,
        "consecutive batches whose gradients make one step",
        why="one batch fits in most memories",
    )
    ema: float = option(
        0.0,
        "decay a step of the averaged weights that are validated; 0: off",
        why="tinyshakespeare with cosine: 1.538 nats with it and without",
    )
    precision: str = option(
        "float32", f"autocast on CUDA: one of {', '.join(PRECISIONS)}", why="exact everywhere"
    )
    validate_every: int = option(200, "steps between validations", why="a guess")
    early_stop: int = option(
        0, "validations without a better one before training ends; 0: never", why="best is kept"
    )
    sample_every: int = option(1000, "steps between samples; 0: none", why="a guess")
    save_every: float = option(
        60.0, "seconds between saves of the resume file", why="what a power cut may cost"
    )
    evaluate: bool = option(
        False,
        "at the end also the exact figures of `evaluate`, kept in the run",
        why="a large held-out part takes long",
    )
    tensorboard: bool = option(
        False, "also write TensorBoard events into the run", why="needs recurra[tensorboard]"
    )

    def __post_init__(self) -> None:
        given = [name for name in BUDGETS if getattr(self, name) is not None]
        require(len(given) <= 1, "budget", given, "give one of steps, epochs and minutes")
        for name in given:
            require(getattr(self, name) > 0, name, getattr(self, name), "must be positive")
        require(1 <= self.batch_size <= 2**20, "batch_size", self.batch_size, "must be 1 to 2^20")
        require(
            0 < self.learning_rate < 1e6,
            "learning_rate",
            self.learning_rate,
            "must be above 0 and below 10^6",
        )
        for name in ("momentum", "warmup", "ema"):
            require(0 <= getattr(self, name) < 1, name, getattr(self, name), "must be in [0, 1)")
        for name in ("weight_decay", "decay_after", "save_every"):
            value = getattr(self, name)
            require(value is None or value >= 0, name, value, "must not be negative")
        for name in ("final_rate", "decay"):
            require(0 <= getattr(self, name) <= 1, name, getattr(self, name), "must be in [0, 1]")
        for name in ("clip_norm", "clip_value"):
            value = getattr(self, name)
            require(value is None or value > 0, name, value, "must be positive, or none")
        # the batches of a step cannot be interrupted
        require(1 <= self.accumulate <= 10_000, "accumulate", self.accumulate, "must be 1 to 10000")
        for name in ("validate_every", "patience"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "must be 1 or more")
        for name in ("early_stop", "sample_every"):
            require(getattr(self, name) >= 0, name, getattr(self, name), "must not be negative")
        for name, known in (
            ("optimizer", OPTIMIZERS),
            ("schedule", SCHEDULES),
            ("precision", PRECISIONS),
        ):
            require_one_of(name, getattr(self, name), known)
