"""Stops training that cannot come to anything, with advice."""

from __future__ import annotations

import math

from recurra.errors import DivergedError
from recurra.training.settings import Training

FAR_WORSE = (
    3.0  # times the first loss, at least 1 nat, above it: a guess, met by no run that learned
)
RISEN = 0.05  # nats, and share, above the lowest: more than batches differ by


class Rise:
    """Watches for a training loss that rises while the held-out figures get worse.

    Overfitting makes only the latter worse, too long steps both. It watches one session, and
    speaks once, at the second of two such validations in a row.
    """

    def __init__(self, training: Training) -> None:
        self._training = training
        self._lowest = math.inf  # of the running averages at validations, nats
        self._in_a_row = 0

    def told(self, smooth: float, worse: bool, best_step: int) -> str | None:
        """What to say after a validation, if anything.

        `smooth`: the loss's running average, nats; `worse`: whether it was worse than the best.
        """
        lowest = self._lowest = min(self._lowest, smooth)
        risen = worse and smooth - lowest > RISEN * max(1.0, lowest)
        if self._in_a_row >= 2:  # it was said
            return None
        self._in_a_row = self._in_a_row + 1 if risen else 0
        if self._in_a_row < 2:
            return None
        return (
            "not only the held-out part gets worse: the training loss has risen from "
            f"{lowest:.3f} to {smooth:.3f} nats. That is no overfitting, but steps that are too "
            "long, or a harder stretch of the data. The best model, of step "
            f"{best_step:,}, is kept; where the data are alike throughout, "
            f"{_lower_rate(self._training, 2)} should get further."
        )


def check_loss(
    training: Training, step: int, loss: float, smooth: float | None, first: float, rate: float
) -> None:
    """Nothing while the loss of `step` is finite and the smooth loss not far above the first.

    All in nats; raises DivergedError, which says what to change.
    """
    if not math.isfinite(loss):
        raise _diverged(training, step, f"the loss became {loss}", rate)
    if smooth is not None and smooth - first > FAR_WORSE * max(1.0, abs(first)):
        what = f"the loss rose from {first:.3f} to {smooth:.3f} nats"
        raise _diverged(training, step, what, rate)


def check_gradient(training: Training, step: int, norm: float, rate: float) -> None:
    """Nothing while the gradient's norm is finite; else DivergedError."""
    if not math.isfinite(norm):
        raise _diverged(training, step, f"the gradient's norm became {norm}", rate)


def check_score(training: Training, step: int, score: float, rate: float) -> None:
    """Nothing while validation gives a finite score; else DivergedError."""
    if not math.isfinite(score):
        raise _diverged(training, step, f"the validation's score became {score}", rate)


def _lower_rate(training: Training, times: int) -> str:
    return f"--learning-rate {float(f'{training.learning_rate / times:.2g}'):g}"


def _diverged(training: Training, step: int, what: str, rate: float) -> DivergedError:
    if training.clip_norm is None and training.clip_value is None:
        clip = " or clip the gradient (--clip-norm 1)"
    elif training.clip_norm is not None:
        clip = f" or clip more (--clip-norm {training.clip_norm / 4:g})"
    else:
        clip = " or clip by norm (--clip-norm 1)"
    return DivergedError(
        f"training diverged: {what} at step {step}, learning rate {rate:.3g}. "
        f"Start again with a lower rate ({_lower_rate(training, 4)}){clip}."
    )
