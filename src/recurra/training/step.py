"""One optimizer step: batches, loss, backward, clipping, schedule, update, average."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from torch import Tensor

from recurra.errors import DivergedError
from recurra.training import guard, optimizers, trees
from recurra.training.clipping import Clipped
from recurra.training.meters import smooth
from recurra.training.precision import SMALLEST_SCALE
from recurra.training.resume import Live
from recurra.training.settings import Training
from recurra.training.update import update


class Stepped(NamedTuple):
    """What one step did."""

    loss_nats: float  # a token, over all batches of the step
    tokens: int
    grad_norm: float  # before clipping


def take(task: Any, live: Live, training: Training, rate: float) -> Stepped:
    """Takes the step after `live.state.step`, and counts it there.

    Each batch gets its dropout from a generator of its own, seeded by the batch's number alone.
    Raises DivergedError, with the model as it was, where loss or gradient are not finite.
    """
    state, step = live.state, live.state.step + 1
    generator = live.generator
    total_nats, tokens, first = 0.0, 0, 0
    carried = live.carried
    for index in range(training.accumulate):
        number = state.step * training.accumulate + index
        generator.manual_seed(live.streams.step_seed("dropout", number))
        batch = live.batches.next()
        with live.precision.autocast():
            loss = task.loss(live.model, batch, carried, generator)
        # What comes with gradients has no history and is nobody else's.
        carried = trees.detached(loss.carried) if loss.gradients is None else loss.carried
        nats = float(loss.mean_nats.detach())
        first = first or loss.tokens
        total_nats += nats * loss.tokens
        tokens += loss.tokens
        # A batch counts by its tokens, relative to the first so that half precision can hold it.
        if loss.gradients is not None:
            _add(live.parameters, loss.gradients, loss.tokens / first, index, training.accumulate)
            continue
        if index == 0:
            optimizers.clear_gradients(live.optimizer)
        live.precision.backward(loss.mean_nats * (loss.tokens / first))
    loss_nats = total_nats / tokens
    first_nats = loss_nats if state.first_nats is None else state.first_nats
    smoothed = smooth(state.smooth_nats, loss_nats, step)
    guard.check_loss(training, step, loss_nats, smoothed, first_nats, rate)
    clipped = _update(live, training, step, rate, tokens / first)
    live.carried = carried
    state.step, state.tokens = step, state.tokens + tokens
    state.first_nats, state.smooth_nats = first_nats, smoothed
    state.clipped += clipped.cut
    return Stepped(loss_nats, tokens, clipped.norm)


def _add(
    parameters: Sequence[Tensor], gradients: Sequence[Tensor], weight: float, index: int, count: int
) -> None:
    """Adds those of batch `index` of `count`, as `backward` would; the first batch's replace."""
    for parameter, gradient in zip(parameters, gradients, strict=True):
        if index:
            parameter.grad.add_(gradient, alpha=weight)  # type: ignore[union-attr]
        elif count > 1:  # the next loss has them overwritten
            parameter.grad = gradient * weight
        elif parameter.grad is not gradient:
            parameter.grad = gradient


def _update(live: Live, training: Training, step: int, rate: float, batches: float) -> Clipped:
    """Clips the gradients, summed over so many batches, and moves the weights."""
    live.precision.unscale(live.optimizer)
    if batches != 1:
        for gradient in optimizers.gradients(live.optimizer):
            gradient.div_(batches)
    optimizers.set_rate(live.optimizer, rate)
    clipped = update(
        live.optimizer, live.kind, live.precision, training.clip_norm, training.clip_value
    )
    if live.precision.scaler is None:
        guard.check_gradient(training, step, clipped.norm, rate)
    if live.precision.exhausted:
        raise DivergedError(
            f"training stands still: float16 overflows at step {step}, at every loss scale down to "
            f"{SMALLEST_SCALE:g}. Use --precision bfloat16 or float32."
        )
    if live.average is not None:
        live.average.update(live.model, step)
    return clipped
