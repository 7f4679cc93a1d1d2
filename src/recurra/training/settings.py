"""The settings of training, the same for every task: a task overrides defaults in its instance."""

from __future__ import annotations

from dataclasses import dataclass

from recurra.config import option, require

OPTIMIZERS = ("adam", "adamw", "adagrad", "rmsprop", "sgd")
SCHEDULES = ("constant", "exponential", "cosine", "plateau")
PRECISIONS = ("float32", "bfloat16", "float16")


@dataclass(frozen=True, kw_only=True)
class Training:
    """How long, how fast and how carefully to train."""

    steps: int | None = option(None, "budget in optimizer steps (repeatable bit for bit)")
    epochs: float | None = option(None, "budget in passes over the training part (repeatable)")
    minutes: float | None = option(
        None, "budget in minutes of training; the schedule follows the clock: not repeatable"
    )
    batch_size: int = option(64, "sequences in a batch", why="fills both cores' GEMM at H=256")
    optimizer: str = option("adam", f"one of {', '.join(OPTIMIZERS)}")
    learning_rate: float = option(4e-3, "the highest step size of the schedule")
    momentum: float = option(0.9, "of sgd, in [0, 1)", why="sutskever2013")
    weight_decay: float = option(
        0.0, "L2 term of the gradient, adamw's decoupled from it; not on biases"
    )
    schedule: str = option("cosine", f"one of {', '.join(SCHEDULES)}")
    warmup: float = option(0.02, "cosine: share of the budget in which the rate rises, in [0, 1)")
    final_rate: float = option(0.02, "cosine's last rate, as a share of learning_rate")
    decay: float = option(0.95, "exponential's factor an epoch; plateau's factor a drop is 0.5")
    decay_after: float = option(10.0, "epochs before exponential starts", why="char-rnn's default")
    patience: int = option(3, "plateau: validations without a better one before the rate halves")
    clip_norm: float | None = option(1.0, "longer gradients are scaled to this L2 norm; none: off")
    clip_value: float | None = option(None, "each gradient value is cut to ± this; none: off")
    accumulate: int = option(1, "consecutive batches whose gradients make one step")
    ema: float = option(0.0, "decay a step of the averaged weights that are validated; 0: off")
    precision: str = option("float32", f"autocast on CUDA: one of {', '.join(PRECISIONS)}")
    validate_every: int = option(200, "steps between validations")
    early_stop: int = option(0, "validations without a better one before training ends; 0: never")
    sample_every: int = option(1000, "steps between samples; 0: none")
    save_every: float = option(60.0, "seconds between saves of the resume file")
    tensorboard: bool = option(False, "also write TensorBoard events into the run")

    def __post_init__(self) -> None:
        given = [name for name in ("steps", "epochs", "minutes") if getattr(self, name) is not None]
        require(len(given) <= 1, "budget", given, "give one of steps, epochs and minutes")
        for name in given:
            require(getattr(self, name) > 0, name, getattr(self, name), "must be positive")
        require(1 <= self.batch_size <= 2**20, "batch_size", self.batch_size, "must be 1 to 2^20")
        require(
            0 < self.learning_rate < 1e6, "learning_rate", self.learning_rate, "must be positive"
        )
        for name in ("momentum", "warmup", "ema"):
            require(0 <= getattr(self, name) < 1, name, getattr(self, name), "must be in [0, 1)")
        for name in ("weight_decay", "decay_after", "save_every"):
            require(getattr(self, name) >= 0, name, getattr(self, name), "must not be negative")
        for name in ("final_rate", "decay"):
            require(0 <= getattr(self, name) <= 1, name, getattr(self, name), "must be in [0, 1]")
        for name in ("clip_norm", "clip_value"):
            value = getattr(self, name)
            require(value is None or value > 0, name, value, "must be positive, or none")
        for name in ("accumulate", "validate_every", "patience"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "must be 1 or more")
        for name in ("early_stop", "sample_every"):
            require(getattr(self, name) >= 0, name, getattr(self, name), "must not be negative")
        for name, known in (
            ("optimizer", OPTIMIZERS),
            ("schedule", SCHEDULES),
            ("precision", PRECISIONS),
        ):
            value = getattr(self, name)
            require(value in known, name, value, f"must be one of {', '.join(known)}")
