"""`bench sampling`: text drawn by `recurra.runtime` beside the loop a PyTorch user writes.

Where onnxruntime is installed, beside its steps of the same network, too: those alone, without a
draw. Programs run in long blocks, so that each has its weights in the cache for most of one.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from recurra import runtime
from recurra.bench import onnx_step, plain
from recurra.bench.agreement import largest, require_same
from recurra.bench.comparison import Case, Comparison
from recurra.bench.ids import ALPHABET, text_like
from recurra.bench.timing import Program
from recurra.bench.training import language_model
from recurra.models.language_model import LanguageModel, arrays
from recurra.runtime import sampling
from recurra.runtime.int8 import rounded
from recurra.text import tokenizers

# Nats of a symbol: float32 sums in another order. int8 is compared with a network of the same
# rounded weights; where it multiplies them with 16-bit numbers a probability moves by 1e-5.
TOLERANCE = {False: 1e-4, True: 1e-3}
CHECKED = 200  # symbols read
GREEDY = 30  # symbols drawn, the likeliest each time: must be the same ones
DRAWN = 200  # symbols a call: what `recurra sample` draws unless asked for more
BLOCK_SECONDS = 0.3
THEIRS, ONNX = "plain PyTorch", "onnxruntime"


def cases() -> list[Case]:
    """Two layers of 128 and of 512 units, in float32 and in int8."""
    return [case(2, hidden, int8=int8) for hidden in (128, 512) for int8 in (False, True)]


def case(layers: int, hidden: int, *, int8: bool) -> Case:
    """The comparison for an LSTM of that size; `int8`: our weights, not theirs, are int8."""
    dtype = "int8" if int8 else "float32"
    name = f"sampling {layers}x{hidden} LSTM {dtype}, V={len(ALPHABET)} B=1"
    return Case(name, partial(_comparison, layers, hidden, int8))


def _comparison(layers: int, hidden: int, int8: bool) -> Comparison:
    network = language_model(hidden, layers)
    if int8:
        _round(network)
    tokenizer = tokenizers.fit("char", [ALPHABET])
    model = runtime.LanguageModel(network.settings, tokenizer, arrays(network), int8=int8)
    theirs = plain.PlainModel(network)
    first = int(tokenizer.encode(model.context)[0])
    generator = torch.Generator().manual_seed(0)
    programs: dict[str, Program] = {
        THEIRS: lambda: plain.sample(theirs, first, DRAWN, 1.0, generator)
    }
    ids = text_like(CHECKED + 1).astype(np.int64)
    nats, _ = model.nats(ids[:-1], ids[1:], model.initial_state(1))
    found: dict[str, tuple[NDArray[Any], list[int]]] = {
        THEIRS: (theirs.nats(ids), plain.sample(theirs, first, GREEDY, 0.0, generator))
    }
    if (missing := onnx_step.why_missing()) is None:
        step = onnx_step.OnnxStep(theirs)
        programs[ONNX] = lambda: step.likeliest(first, DRAWN)
        found[ONNX] = step.nats(ids[:-1].tolist(), ids[1:].tolist()), step.likeliest(first, GREEDY)
    (text,) = sampling.sample(model, length=GREEDY, temperature=0)
    worst = _check(nats, tokenizer.encode(text.text), found, TOLERANCE[int8])
    same = f"nats of {CHECKED} symbols: {worst:.1e} apart, at most {TOLERANCE[int8]:g}; "
    same += f"the {GREEDY} likeliest symbols are the same"
    return Comparison(
        lambda: sampling.sample(model, length=DRAWN),
        programs,
        same,
        "symbol",
        units=DRAWN,
        tokens=1,
        block_seconds=BLOCK_SECONDS,
        left_out=missing or "",
    )


def _check(
    nats: NDArray[Any],
    symbols: NDArray[Any],
    theirs: Mapping[str, tuple[NDArray[Any], list[int]]],
    tolerance: float,
) -> float:
    """How far the nats are apart at most; DisagreementError where they or the symbols differ."""
    worst = 0.0
    for who, (their_nats, their_symbols) in theirs.items():
        found = require_same(who, {"nats": nats}, {"nats": their_nats}, largest, tolerance)
        require_same(who, {"symbols": symbols}, {"symbols": their_symbols}, largest, 0)
        worst = max(worst, found)
    return worst


@torch.no_grad()
def _round(network: LanguageModel) -> None:
    """The weights that the runtime keeps as int8, rounded in place."""
    for name, value in network.state_dict().items():
        table = name.startswith("embedding.") or name == "recurrent.l0.weight_ih"
        if value.ndim == 2 and not table:
            value.copy_(torch.from_numpy(rounded(value.numpy())))
