"""Text drawn from a language model: whole, as it is drawn, or the likeliest a beam finds.

Which symbol is drawn is `recurra.decoding`'s and `recurra.rng`'s, ids become text in `pieces.py`;
this is prompts and where texts end. Where sequences end, each text is one: it begins after START
and ends at the stop symbol, which counts in `nats` and is not part of the text; none is empty.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from recurra import rng
from recurra.config import require
from recurra.decoding import Drawn, Filters, beam_search, sequences, take
from recurra.decoding.beam import WIDEST
from recurra.decoding.filters import without
from recurra.decoding.state import Floats
from recurra.errors import ConfigError
from recurra.results import Sample, counted
from recurra.runtime import native, start
from recurra.runtime.given import encode
from recurra.runtime.language_model import Ids, LanguageModel, State
from recurra.runtime.pieces import Pieces

MOST_SAMPLES = 10_000
LENGTH = 200  # symbols of a sample where nothing is said and nothing ends it
LONGEST = 10_000_000  # symbols of a sample, and of all the hypotheses of a beam together
NUMBERS_AT_ONCE = 2**22  # probabilities held for samples drawn together: 32 MB in float64

BEAM_NOTE = "beam search finds likely text, which repeats itself more than drawn text does"
BEAM_OF_SEQUENCES_NOTE = (
    "beam search finds the likeliest, which are alike, and many of which stand in the training "
    "part; of those that are drawn more are new"
)


def sample(
    model: LanguageModel,
    prompt: str = "",
    *,
    length: int | None = None,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    stop: Sequence[str] = (),
    seed: int = 0,
    count: int = 1,
    context: str | None = None,
    label: str | None = None,
) -> list[Sample]:
    """`count` texts that continue the prompt by up to `length` symbols each; the same every time.

    `length` None: LENGTH of them, and where sequences end, all up to the stop symbol.

    Sample i draws from a generator of its own, (seed, i): the first of three is the one that
    count=1 gives (without native kernels: as far as float32 products in a batch round alike). A
    text ends before the first stop string in it, which is not part of it; `nats` counts every
    symbol drawn, also those of the stop string. An empty prompt starts after the model's context;
    `context` puts another text before the prompt, `label` says of which class a sequence is, where
    a run has classes. Symbols unknown to the model are read as its unknown symbol, which is never
    drawn. `temperature`, `top_k`, `top_p`: see `Filters`.

    Raises ConfigError for a setting that cannot be and for what is not valid text, DataError for a
    prompt with symbols never seen where the model has no unknown symbol.
    """
    filters = Filters(temperature=temperature, top_k=top_k, top_p=top_p)
    require(1 <= count <= MOST_SAMPLES, "count", count, f"must be 1 to {MOST_SAMPLES:,}")
    begun = _begin(model, prompt, context, label, length)
    ends = _ends(model, stop)
    texts = [Pieces(model.tokenizer, begun.prompt_ids, ends) for _ in range(count)]
    parts: list[list[str]] = [[] for _ in texts]
    nats: list[list[float]] = [[] for _ in texts]
    together = max(1, NUMBERS_AT_ONCE // model.vocab_size)
    for first in range(0, count, together):
        rows = range(first, min(first + together, count))
        for row, one in _drawn(model, begun, texts, rows, filters, seed, whole=not ends):
            pieces = list(texts[row].read(one.ids))
            parts[row] += pieces
            nats[row] += one.nats[: len(pieces)]
    return [
        Sample(
            prompt,
            "".join([*parts[row], texts[row].end()]),
            float(sum(nats[row])),
            seed,
            row + 1,
            begun.notes,
        )
        for row in range(count)
    ]


def stream(
    model: LanguageModel,
    prompt: str = "",
    *,
    length: int | None = None,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    stop: Sequence[str] = (),
    seed: int = 0,
    context: str | None = None,
    label: str | None = None,
) -> Iterator[str]:
    """The text of `sample` with these arguments, piece by piece as it is drawn.

    A character is held back until its last byte is drawn, and what could be the beginning of a
    stop string until it is clear that it is not. Raises as `sample`, before the first piece.
    """
    filters = Filters(temperature=temperature, top_k=top_k, top_p=top_p)
    begun = _begin(model, prompt, context, label, length)
    text = Pieces(model.tokenizer, begun.prompt_ids, _ends(model, stop))

    def pieces() -> Iterator[str]:
        for _, one in _drawn(model, begun, [text], range(1), filters, seed, whole=False):
            yield from filter(None, text.read(one.ids))
        if piece := text.end():
            yield piece

    return pieces()


def beam(
    model: LanguageModel,
    prompt: str = "",
    *,
    length: int | None = None,
    width: int,
    context: str | None = None,
    label: str | None = None,
) -> list[Sample]:
    """The `width` likeliest continuations that a beam of that width finds, the likeliest first.

    Each is `length` symbols (None: LENGTH), or up to the stop symbol where sequences end, and then
    holds one symbol or more: the likeliest of all names may be none. Their notes say what likely
    text is like. Raises as `sample`, and ConfigError for a width that is not 1 to 1,000.
    """
    require(1 <= width <= WIDEST, "width", width, f"must be 1 to {WIDEST:,}")
    length = LENGTH if length is None else length
    require(width * length <= LONGEST, "length", length, f"must be at most {LONGEST:,} ÷ the width")
    begun = _begin(model, prompt, context, label, length)
    never = _never(model)

    def step(ids: Ids, state: State) -> tuple[Floats, State]:
        log_probs, state = model.step(ids, state)
        return (without(log_probs, never) if never else log_probs), state

    first, state = step(begun.last, begun.state)
    if not_first := _not_first(model, begun):
        first = without(first, not_first)
    asked: dict[str, Any] = {"width": width, "length": length, "n_best": width}
    (found,) = beam_search(step, first, state, stop_id=model.stop_id, **asked)
    results = []
    for number, hypothesis in enumerate(found, start=1):
        text = Pieces(model.tokenizer, begun.prompt_ids, _ends(model, ()))
        drawn = "".join([*text.read(hypothesis.ids), text.end()])
        nats = _continuation_nats(model, begun, hypothesis.ids)
        notes = (*begun.notes, BEAM_NOTE if model.stop is None else BEAM_OF_SEQUENCES_NOTE)
        results.append(Sample(prompt, drawn, nats, None, number, notes))
    return results


@dataclass(frozen=True)
class _Start:
    """Where drawing begins: one sequence that has read the prompt but for its last symbol."""

    prompt_ids: Ids
    last: Ids  # (1,), still to be fed
    state: State  # before it
    length: int  # symbols to draw at most
    notes: tuple[str, ...]


def _begin(
    model: LanguageModel, prompt: str, context: str | None, label: str | None, length: int | None
) -> _Start:
    """The model in what stands before and the prompt; ConfigError or DataError for what cannot."""
    if length is None:
        length = LENGTH if model.stop is None else LONGEST
    require(0 <= length <= LONGEST, "length", length, f"must be 0 to {LONGEST:,}")
    tokenizer = model.tokenizer
    if tokenizer.unknown_id is not None and tokenizer.vocab_size == 1:
        raise ConfigError("the model's only symbol is the unknown one: there is nothing to draw.")
    prompt_ids = encode(tokenizer, prompt, "the prompt")
    require(
        model.stop is None or model.stop not in prompt, "prompt", prompt, "holds the stop symbol"
    )
    before, _ = start.before(model, context, label, prompted=prompt_ids.size > 0)
    read = np.concatenate([before, prompt_ids])
    state = model.initial_state(1)
    if read.size > 1:
        _, state = model.read(read[:-1, None], state)
    notes: tuple[str, ...] = ()
    if unseen := tokenizer.unseen(prompt):
        shown = ", ".join(repr(symbol) for symbol in unseen[:5])
        notes = (f"the prompt has {counted(len(unseen), 'symbol')} unknown to the model: {shown}",)
    return _Start(prompt_ids, read[-1:], state, length, notes)


def _drawn(
    model: LanguageModel,
    begun: _Start,
    texts: Sequence[Pieces],
    rows: range,
    filters: Filters,
    seed: int,
    *,
    whole: bool,
) -> Iterator[tuple[int, Drawn]]:
    """(which of `texts`, symbols of it) for those in `rows`, drawn together.

    `whole`: no text ends before its length, and none is shown before all are drawn.
    """
    copies = [0] * len(rows)
    ids, state = begun.last[copies], take(begun.state, copies)
    asked: dict[str, Any] = {
        "length": begun.length,
        "filters": filters,
        "generators": [rng.generator(seed, f"sample/{row}") for row in rows],
        "never": _never(model),
        "not_first": _not_first(model, begun),
        "ended": lambda index: texts[rows[index]].stopped,
    }
    if model.sampler is None:
        drawn = sequences(model.step, *model.step(ids, state), **asked)
    else:
        drawn = native.sequences(model.sampler, ids, state, whole=whole, **asked)
    return ((rows[one.row], one) for one in drawn)


def _never(model: LanguageModel) -> tuple[int, ...]:
    """The symbols that are no text: the unknown one, and the START of each class."""
    special = tuple(model.tokenizer.special.values())
    unknown = model.tokenizer.unknown_id
    return special if unknown is None else (*special, unknown)


def _not_first(model: LanguageModel, begun: _Start) -> tuple[int, ...]:
    """The stop symbol where nothing stands before it: no sequence that was learned is empty."""
    return () if model.stop_id is None or begun.prompt_ids.size else (model.stop_id,)


def _ends(model: LanguageModel, stop: Sequence[str]) -> tuple[str, ...]:
    """The texts at which a sample ends."""
    return tuple(stop) if model.stop is None else (*stop, model.stop)


def _continuation_nats(model: LanguageModel, begun: _Start, ids: Sequence[int]) -> float:
    """−ln p(ids | prompt) under the model as it is, the unknown symbol possible."""
    if not ids:
        return 0.0
    wanted = np.array(ids)
    nats, _ = model.nats(np.concatenate([begun.last, wanted[:-1]]), wanted, begun.state)
    return float(nats.sum())
