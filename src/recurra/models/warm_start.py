"""A language model that begins with the weights of another run; its new symbols keep their rows."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch
from torch import nn

from recurra import store
from recurra.errors import ConfigError
from recurra.runtime import NetworkSettings, expected_shapes, resolve

FREE = ("dropout", "locked_dropout", "weight_dropout")  # settings without a weight of their own


def take_over(
    model: nn.Module, settings: NetworkSettings, old: Path, before: NetworkSettings, known: int
) -> None:
    """Copies the weights of the run in folder `old` into `model`.

    `settings` and `before` are those of the two networks, `known` is how many symbols the old one
    has, which are the first of the model's. Raises ConfigError where the networks differ, RunError
    where `old` is damaged.
    """
    here, there = resolve(settings), resolve(before)
    for item in dataclasses.fields(there):
        value, was = getattr(here, item.name), getattr(there, item.name)
        if value != was and item.name not in FREE:
            raise ConfigError(
                f"{item.name} = {value!r}, and {was!r} in {old}, the run started from: "
                "leave it as it was there."
            )
    weights = store.read_tensors(old / store.MODEL, expected_shapes(there, known))
    for name, value in model.state_dict().items():
        place: tuple[slice, ...] = ()
        if name.startswith(("embedding.", "projection.")):
            place = (slice(known),)
        elif name == "recurrent.l0.weight_ih" and not there.embedding_size:
            place = (slice(None), slice(known))  # one-hot: a column a symbol
        value[place] = torch.from_numpy(weights[name])  # the state_dict's are the model's own
