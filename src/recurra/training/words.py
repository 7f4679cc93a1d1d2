"""What the bar, the plain lines and the summaries print: numbers in words, text made harmless."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Mapping

from recurra.training.watch import Progress

# what the keys of these figures begin with; the protocol follows
NATS, BITS, PERPLEXITY = "nats_per_token", "bits_per_token", "perplexity"

# all but the tab and the newline; an escape among them could move the cursor or clear the screen
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def harmless(text: str) -> str:
    """The text with its control characters spelled out, as in \\x1b, so that none acts.

    Line ends of two characters are shown as line ends.
    """
    return _CONTROLS.sub(lambda found: f"\\x{ord(found[0]):02x}", text.replace("\r\n", "\n"))


def shown(text: str) -> str:
    """What is printed of a text: nothing acts on a terminal; a pipe gets it exactly."""
    return harmless(text) if sys.stdout.isatty() else text


def as_json(value: object) -> str:
    """A value as one line of JSON, its characters as they are; on a terminal nothing in it acts.

    JSON spells out the controls below the blank; those above are spelled out here, as in \\u009b.
    """
    text = json.dumps(value, ensure_ascii=False)
    if not sys.stdout.isatty():
        return text
    return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def loss(nats: float) -> str:
    """'1.4823 nats (2.1385 bits, perplexity 4.40)'; perplexity past e^50 is not spelled out."""
    if not math.isfinite(nats):
        return f"{nats} nats"
    perplexity = f"{math.exp(nats):,.2f}" if nats < 50 else f"e^{nats:.0f}"
    return f"{nats:.4f} nats ({nats / math.log(2):.4f} bits, perplexity {perplexity})"


def figures(values: Mapping[str, float]) -> str:
    """Figures by name; one in nats a token is told in bits and as a perplexity beside it."""
    in_nats = {name: value for name, value in values.items() if name.startswith(NATS)}
    told = {f"{unit}{name.removeprefix(NATS)}" for name in in_nats for unit in (BITS, PERPLEXITY)}
    return ", ".join(
        f"{name} {loss(value)}" if name in in_nats else f"{name} {value:.4f}"
        for name, value in values.items()
        if name not in told
    )


def duration(seconds: float) -> str:
    """'0:07', '12:30', '3:05:00'; '?' for what is not known."""
    if not math.isfinite(seconds) or seconds < 0:
        return "?"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def reading(done: int, total: int) -> str:
    """How much of a large text is read."""
    return f"reading the text: {done / 1e6:,.0f} of {total / 1e6:,.0f} MB"


def place(progress: Progress) -> tuple[str, ...]:
    """How far training is, a part a number."""
    return (
        f"step {progress.step:,}",
        f"epoch {progress.epoch:.2f}",
        f"{progress.share:.0%} done",
        f"{duration(progress.eta_seconds)} left",
    )


def state(progress: Progress) -> tuple[str, ...]:
    """The figures of the step, the loss smoothed: every number with its unit."""
    return (
        f"loss {loss(progress.smooth_nats)}",
        f"{progress.tokens_per_second:,.0f} {progress.unit}s/s",
        f"learning rate {progress.learning_rate:.3g}",
        f"gradient norm {progress.grad_norm:.3g}",
        f"{progress.clipped_share:.0%} of steps clipped",
    )
