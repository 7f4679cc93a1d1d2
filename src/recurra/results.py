"""Typed results that show themselves: as text, in a notebook, as JSON."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any


@dataclass(frozen=True)
class Evaluation:
    """The figures of a model on a split; each key names its unit and protocol."""

    figures: Mapping[str, float]
    split: str  # which part, in words
    tokens: int  # how many predictions the figures are over
    notes: tuple[str, ...] = ()
    unit: str = "token"  # what one prediction is about

    def json(self) -> dict[str, Any]:
        """The result as JSON values."""
        return {
            "split": self.split,
            f"{self.unit}s": self.tokens,
            **self.figures,
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        width = max([32, *map(len, self.figures)])
        lines = [f"  {key:<{width}} {value:z.4f}" for key, value in self.figures.items()]
        return "\n".join([self._over(), *lines, *self.notes])

    def _repr_html_(self) -> str:
        rows = [(key, f"{value:z.4f}") for key, value in self.figures.items()]
        return _table(rows, self._over()) + _paragraphs(self.notes)

    def _over(self) -> str:
        """What the figures are over."""
        return f"{self.split}: {counted(self.tokens, self.unit)}"


@dataclass(frozen=True)
class Score:
    """What a language model gives a text: −ln p of each token, summed and averaged."""

    text: str
    tokens: tuple[str, ...]  # the tokens scored, as text
    nats: tuple[float, ...]  # −ln p(token | all before), one a token
    context: str  # what stood before the first token, itself not scored
    unknown: int = 0  # how many of the tokens the model has no symbol for

    @property
    def total_nats(self) -> float:
        """−ln p(text | context)."""
        return math.fsum(self.nats)

    @property
    def nats_per_token(self) -> float:
        """The mean; 0 for a text without tokens."""
        return self.total_nats / len(self.nats) if self.nats else 0.0

    @property
    def bits_per_token(self) -> float:
        """nats ÷ ln 2."""
        return self.nats_per_token / math.log(2)

    @property
    def perplexity(self) -> float:
        """exp(nats a token)."""
        return math.exp(min(self.nats_per_token, 700.0))

    def json(self) -> dict[str, Any]:
        """The result as JSON values."""
        return {
            "text": self.text,
            "context": self.context,
            "tokens": len(self.nats),
            "unknown_tokens": self.unknown,
            "total_nats": self.total_nats,
            "nats_per_token": self.nats_per_token,
            "bits_per_token": self.bits_per_token,
            "perplexity": self.perplexity,
            "per_token": [
                {"token": token, "nats": nats}
                for token, nats in zip(self.tokens, self.nats, strict=True)
            ],
        }

    def __str__(self) -> str:
        unknown = f", {self.unknown / len(self.nats):.0%} unknown" if self.unknown else ""
        return (
            f"{self.total_nats:.3f} nats, {self.nats_per_token:.4f} a token "
            f"({self.bits_per_token:.4f} bits, perplexity {self.perplexity:.3f}) "
            f"over {counted(len(self.nats), 'token')}{unknown}: {self.text!r}"
        )

    def _repr_html_(self) -> str:
        worst = max(self.nats, default=1.0) or 1.0
        spans = "".join(
            f'<span title="{nats:.3f} nats" style="background:rgba(220,60,40,{nats / worst:.2f})">'
            f"{escape(token)}</span>"
            for token, nats in zip(self.tokens, self.nats, strict=True)
        )
        return f"<pre>{spans}</pre><p>{escape(str(self))}</p>"


@dataclass(frozen=True)
class Sample:
    """A text drawn from a language model, or found by a beam."""

    prompt: str
    text: str  # what came after the prompt
    nats: float  # −ln p(text | prompt) under the unfiltered model
    seed: int | None = None  # that it was drawn with; None: it was found by a beam
    number: int = 1  # from 1: which of the samples of that seed, or of those found, it is
    notes: tuple[str, ...] = field(default=())

    def json(self) -> dict[str, Any]:
        """The result as JSON values; `text` is the whole, with the prompt."""
        return {
            "text": str(self),
            "prompt": self.prompt,
            "continuation": self.text,
            "nats": self.nats,
            "seed": self.seed,
            "number": self.number,
        }

    def __str__(self) -> str:
        return self.prompt + self.text

    def _repr_html_(self) -> str:
        return f"<pre><b>{escape(self.prompt)}</b>{escape(self.text)}</pre>"


class Samples(list[Sample]):
    """Several samples, as a list that shows itself in a notebook."""

    def __str__(self) -> str:
        texts = [str(one) for one in self]
        between = "\n\n" if any("\n" in one for one in texts) else "\n"  # names are a list
        return between.join(texts)

    def _repr_html_(self) -> str:
        notes = dict.fromkeys(note for one in self for note in one.notes)
        return "".join(one._repr_html_() for one in self) + _paragraphs(notes)


class Answers(list[Any]):
    """A task's answers, one an input, as a list that shows itself in a notebook."""

    def __str__(self) -> str:
        return "\n".join(str(one) for one in self)

    def _repr_html_(self) -> str:
        return "".join(one._repr_html_() for one in self)


def counted(count: int, unit: str) -> str:
    """'1 token', '1,000 tokens'."""
    return f"{count:,} {unit}" if count == 1 else f"{count:,} {unit}s"


def _table(rows: list[tuple[str, str]], caption: str) -> str:
    body = "".join(
        f"<tr><td>{escape(key)}</td><td>{escape(value)}</td></tr>" for key, value in rows
    )
    return f"<table><caption>{escape(caption)}</caption>{body}</table>"


def _paragraphs(notes: Iterable[str]) -> str:
    return "".join(f"<p>{escape(note)}</p>" for note in notes)
