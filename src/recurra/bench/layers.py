"""`bench layers`: one layer of `recurra.nn` beside torch.nn's, with oneDNN and without.

A pass is forward without gradients, or forward and backward to the input, every weight and bias.
Where `recurra.nn` leaves a shape to torch, the ratio is that of torch with itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from recurra import nn as ours_nn
from recurra.bench.agreement import relative, require_same
from recurra.bench.comparison import Case, Comparison
from recurra.bench.shapes import RECORD, Shape, random_shapes

# Relative L2 of outputs and of each gradient: float32 sums over some ten thousand steps in another
# order stay below it, a wrong term does not.
TOLERANCE = 1e-4


def cases(random: int | None = None) -> list[Case]:
    """The shapes of the record, or so many random ones."""
    shapes = RECORD if random is None else random_shapes(random)
    return [case(shape) for shape in shapes]


def case(shape: Shape) -> Case:
    """The comparison at one shape."""
    return Case(shape.name, lambda: _comparison(shape))


class Pass:
    """A layer with its input: called, it does a pass; `results` are those of the last."""

    def __init__(self, layer: torch.nn.RNNBase, given: Any, upstream: Tensor | None) -> None:
        """given: (T, B, I) or packed; upstream: the output's gradient, None for forward alone."""
        packed = isinstance(given, PackedSequence)
        data = (given.data if packed else given).clone()
        self._data = data.requires_grad_(upstream is not None)
        self._given = given._replace(data=self._data) if packed else self._data
        self._layer, self._upstream = layer, upstream
        self._leaves = {"input": self._data, **dict(layer.named_parameters())}

    def __call__(self) -> None:
        """Forward; and backward where there is a gradient to start from."""
        if self._upstream is None:
            with torch.no_grad():
                self._output = self._forward()
            return
        for leaf in self._leaves.values():
            leaf.grad = None
        self._output = self._forward()
        self._output.backward(self._upstream)  # type: ignore[no-untyped-call]

    def results(self) -> dict[str, np.ndarray[Any, Any]]:
        """The output and the gradients by name."""
        found = {"output": self._output.detach()}
        if self._upstream is not None:
            for name, leaf in self._leaves.items():
                assert leaf.grad is not None
                found[f"gradient of {name}"] = leaf.grad
        return {name: value.numpy() for name, value in found.items()}

    def _forward(self) -> Tensor:
        output, _ = self._layer(self._given)
        return output.data if self._upstream is None else _tensor(output)


def _tensor(output: Any) -> Tensor:
    return output.data if isinstance(output, PackedSequence) else output


def _comparison(shape: Shape) -> Comparison:
    generator = torch.Generator().manual_seed(0)
    theirs = getattr(torch.nn, shape.kind)(shape.input, shape.hidden)
    bound = shape.hidden**-0.5
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.uniform_(-bound, bound, generator=generator)
    ours = getattr(ours_nn, shape.kind)(shape.input, shape.hidden)
    ours.load_state_dict(theirs.state_dict())
    given: Any = torch.randn(shape.steps, shape.batch, shape.input, generator=generator)
    if shape.packed:
        given = pack_padded_sequence(given, torch.tensor(shape.lengths))
    upstream = None
    if shape.train:
        leading = given.data.shape[:-1]
        upstream = torch.randn(*leading, shape.hidden, generator=generator)
    mine, torchs = Pass(ours, given, upstream), Pass(theirs, given, upstream)
    opponents: dict[str, Callable[[], None]] = {
        "torch.nn": torchs,
        "torch.nn without oneDNN": lambda: _without_onednn(torchs),
    }
    mine()
    worst = 0.0
    for name, program in opponents.items():
        program()
        found = require_same(name, mine.results(), torchs.results(), relative, TOLERANCE)
        worst = max(worst, found)
    what = "output and gradients" if shape.train else "output"
    same = f"{what}: relative L2 {worst:.1e}, at most {TOLERANCE:g}"
    return Comparison(mine, opponents, same, "pass", flop=shape.flop)


def _without_onednn(program: Callable[[], None]) -> None:
    with torch.backends.mkldnn.flags(enabled=False):
        program()
