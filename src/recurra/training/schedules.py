"""The learning rate at a step: pure functions of the budget's share, the epoch, the drops.

Nothing here remembers anything: the plateau's drops are counted in `state.py`.
"""

from __future__ import annotations

import math

from recurra.training.settings import Training

PLATEAU_FACTOR = 0.5


def rate(training: Training, share: float, epoch: float, drops: int) -> float:
    """The learning rate of the next step by the settings' schedule.

    `share` of the budget that will be spent when the step is done, `epoch` passes over the data
    before it, `drops` how often validation did not get better for `patience` times.
    """
    highest = training.learning_rate
    if training.schedule == "exponential":
        return exponential(highest, epoch, training.decay, training.decay_after)
    if training.schedule == "cosine":
        return cosine(highest, share, training.warmup, training.final_rate)
    if training.schedule == "plateau":
        return highest * PLATEAU_FACTOR**drops
    return highest


def exponential(highest: float, epoch: float, decay: float, after: float) -> float:
    """`highest` before epoch `after`; times `decay` there and at every full epoch after it."""
    if epoch < after:
        return highest
    return highest * decay ** (math.floor(epoch - after) + 1)


def cosine(highest: float, share: float, warmup: float, final: float) -> float:
    """A straight rise over the first `warmup` share, then half a cosine down to final · highest.

    loshchilov2017, one period.
    """
    if share < warmup:
        return highest * share / warmup
    turned = (share - warmup) / (1 - warmup)  # 0 to 1
    return highest * (final + (1 - final) * 0.5 * (1 + math.cos(math.pi * turned)))
