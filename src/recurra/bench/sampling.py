"""`bench sampling`: text drawn by `recurra.runtime` beside the loop a PyTorch user writes."""

from __future__ import annotations

from functools import partial

import torch

from recurra import runtime
from recurra.bench import plain
from recurra.bench.agreement import largest, require_same
from recurra.bench.comparison import Case, Comparison
from recurra.bench.ids import ALPHABET, text_like
from recurra.bench.training import language_model
from recurra.models.language_model import arrays
from recurra.runtime import sampling
from recurra.text import tokenizers

TOLERANCE = 1e-4  # nats of a symbol: float32 sums in another order
CHECKED = 200  # symbols read
GREEDY = 30  # symbols drawn, the likeliest each time: must be the same ones
DRAWN = 50  # symbols a call
THREADS = 1  # unless asked otherwise: one sequence has no work for more


def cases() -> list[Case]:
    """Two layers of 128 and of 512 units."""
    return [case(layers=2, hidden=128), case(layers=2, hidden=512)]


def case(*, layers: int, hidden: int) -> Case:
    """The comparison for an LSTM of that size."""
    return Case(
        f"sampling {layers}x{hidden} LSTM, V={len(ALPHABET)}", partial(_comparison, layers, hidden)
    )


def _comparison(layers: int, hidden: int) -> Comparison:
    network = language_model(hidden, layers)
    tokenizer = tokenizers.fit("char", [ALPHABET])
    model = runtime.LanguageModel(network.settings, tokenizer, arrays(network))
    theirs = plain.PlainModel(network)
    worst = _check(model, theirs)
    first = int(tokenizer.encode(model.context)[0])
    generator = torch.Generator().manual_seed(0)
    same = (
        f"nats of {CHECKED} symbols: {worst:.1e} apart, at most {TOLERANCE:g}; "
        f"the {GREEDY} likeliest symbols are the same"
    )
    return Comparison(
        lambda: sampling.sample(model, length=DRAWN),
        {"plain PyTorch": lambda: plain.sample(theirs, first, DRAWN, 1.0, generator)},
        same,
        "symbol",
        units=DRAWN,
        tokens=1,
    )


def _check(model: runtime.LanguageModel, theirs: plain.PlainModel) -> float:
    """How far the nats of the same symbols are apart; DisagreementError where they differ."""
    who = "the plain PyTorch loop"
    ids = text_like(CHECKED + 1)
    nats, _ = model.nats(ids[:-1], ids[1:], model.initial_state(1))
    with torch.no_grad():
        logits, _ = theirs(torch.from_numpy(ids[:-1, None]))
        targets = torch.from_numpy(ids[1:])
        expected = torch.nn.functional.cross_entropy(logits[:, 0], targets, reduction="none")
    worst = require_same(who, {"nats": nats}, {"nats": expected.numpy()}, largest, TOLERANCE)
    encode = model.tokenizer.encode
    (text,) = sampling.sample(model, length=GREEDY, temperature=0)
    first = int(encode(model.context)[0])
    likeliest = plain.sample(theirs, first, GREEDY, 0.0, torch.Generator())
    require_same(who, {"symbols": encode(text.text)}, {"symbols": likeliest}, largest, 0)
    return worst
