"""`bench layers`: one layer of `recurra.nn` beside torch.nn's, with oneDNN and without.

A pass is forward without gradients, or forward and backward to the input, every weight and bias.
Where `recurra.nn` leaves a shape to torch, the ratio is that of torch with itself. What random
shapes say as a whole is in `verdict.py`.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from recurra import nn as ours_nn
from recurra.bench.agreement import relative, require_same
from recurra.bench.comparison import Case, Comparison
from recurra.bench.shapes import RECORD, Shape, random_shapes
from recurra.bench.timing import Program

THEIRS, PLAIN, AGAIN = "torch.nn", "torch.nn without oneDNN", "torch.nn again"

# Relative L2 of outputs and of each gradient: float32 sums over some ten thousand steps in another
# order stay below it, a wrong term does not.
TOLERANCE = 1e-4


def cases(random: int | None = None, seed: int = 0) -> list[Case]:
    """The shapes of the record beside torch with oneDNN and without, or so many random ones.

    At a random shape torch stands there twice: how far it is from itself is the run's own spread.
    """
    if random is None:
        return [case(shape, (THEIRS, PLAIN)) for shape in RECORD]
    return [case(shape, (THEIRS, AGAIN)) for shape in random_shapes(random, seed)]


def case(shape: Shape, theirs: tuple[str, ...], ours: Any = ours_nn) -> Case:
    """The comparison at one shape of the layers in the namespace `ours` with those of torch.nn."""
    return Case(shape.name, partial(_comparison, shape, theirs, ours))


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
        data: Tensor = output.data if isinstance(output, PackedSequence) else output
        return data


def _comparison(shape: Shape, theirs: tuple[str, ...], ours: Any) -> Comparison:
    generator = torch.Generator().manual_seed(0)
    torchs = getattr(torch.nn, shape.kind)(shape.input, shape.hidden)
    bound = shape.hidden**-0.5
    with torch.no_grad():
        for parameter in torchs.parameters():
            parameter.uniform_(-bound, bound, generator=generator)
    mine = getattr(ours, shape.kind)(shape.input, shape.hidden)
    mine.load_state_dict(torchs.state_dict())
    given: Any = torch.randn(shape.steps, shape.batch, shape.input, generator=generator)
    if shape.packed:
        given = pack_padded_sequence(given, torch.tensor(shape.lengths))
    upstream = None
    if shape.train:
        leading = given.data.shape[:-1]
        upstream = torch.randn(*leading, shape.hidden, generator=generator)
    our_pass, their_pass = Pass(mine, given, upstream), Pass(torchs, given, upstream)
    sides: dict[str, Program] = {
        THEIRS: their_pass,
        PLAIN: partial(_without_onednn, their_pass),
        AGAIN: Pass(copy.deepcopy(torchs), given, upstream),  # memory of its own, as ours has
    }
    programs = {name: sides[name] for name in theirs}
    worst = _check(our_pass, their_pass, programs)
    what = "output and gradients" if shape.train else "output"
    same = f"{what}: relative L2 {worst:.1e}, at most {TOLERANCE:g}"
    return Comparison(our_pass, programs, same, "pass", flop=shape.flop)


def _check(ours: Pass, theirs: Pass, programs: Mapping[str, Program]) -> float:
    """How far our results are from those that each of the programs leaves in `theirs`."""
    ours()
    worst = 0.0
    for name, program in programs.items():
        program()
        found = require_same(name, ours.results(), theirs.results(), relative, TOLERANCE)
        worst = max(worst, found)
    return worst


def _without_onednn(program: Program) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of settings for Intel's GPUs, which the switch touches
        with torch.backends.mkldnn.flags(enabled=False):
            program()
