"""`resume.safetensors`: one file with all that going on needs, so that one rename commits a save.

Before it comes `model.safetensors`, the weights that every verb opens. A kill between the two is
harmless: the resume file has those weights too, and going on writes them again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from recurra import store
from recurra.errors import RunError
from recurra.rng import Streams
from recurra.task import Batches
from recurra.training import optimizers, trees
from recurra.training.ema import Average
from recurra.training.precision import Precision
from recurra.training.state import State

Weights = dict[str, Tensor]


@dataclass
class Live:
    """Everything that changes as training goes on."""

    model: nn.Module
    kind: str  # of the optimizer
    optimizer: torch.optim.Optimizer
    average: Average | None
    precision: Precision
    batches: Batches[Any]
    streams: Streams
    state: State
    carried: Any = None  # the model's state after the last batch
    best: Weights | None = None  # as validated best; None before the first validation

    @cached_property
    def generator(self) -> torch.Generator:
        """Dropout's, seeded anew for every batch."""
        return torch.Generator(self.parameters[0].device)

    @cached_property
    def parameters(self) -> list[nn.Parameter]:
        """The model's, which the optimizer has."""
        return list(self.model.parameters())

    def shown(self) -> Weights:
        """A copy, on the CPU, of the weights that are validated: averaged where that is on."""
        if self.average is None:
            return _copies(self.model.state_dict())
        with self.average.applied(self.model):
            return _copies(self.model.state_dict())


def save(live: Live, folder: Path, metrics_size: int) -> None:
    """Writes the resume file; RunError where it cannot be written."""
    structure, carried = trees.flatten(live.carried)
    tensors = {
        **_named("model", live.model.state_dict()),
        **_named("optimizer", optimizers.state_tensors(live.optimizer, live.model)),
        **_named("average", live.average.weights if live.average else {}),
        **_named("carried", {str(index): tensor for index, tensor in enumerate(carried)}),
        **_named("best", live.best or {}),
    }
    scalars = {
        "state": live.state.to_json(),
        "carried": structure,
        "streams": live.streams.state(),
        "batches": live.batches.state(),
        "precision": live.precision.state(),
        "metrics_size": metrics_size,
        "optimizer": live.kind,
    }
    header = {"scalars": json.dumps(scalars, sort_keys=True, allow_nan=False)}
    arrays = {name: _array(tensor) for name, tensor in tensors.items()}
    store.save_tensors(folder / store.RESUME, arrays, header)


def load(live: Live, folder: Path, device: torch.device) -> int:
    """Puts everything back as `save` found it, on `device`; the size of the metrics then.

    Raises RunError where the file is missing, damaged or does not fit the model.
    """
    path = folder / store.RESUME
    if not path.exists():
        raise RunError(
            f"{folder} has no {store.RESUME}: it was trained elsewhere or stopped before its first "
            f"save. Train anew, or from its weights: recurra train … --from {folder}."
        )
    header = store.read_header(path)
    shapes = {name: entry.shape for name, entry in header.entries.items()}
    _check_weights(live, path, shapes)
    scalars = _scalars(path, header.metadata, live.kind)
    parts = _parts(path, store.read_tensors(path))
    live.model.load_state_dict(parts["model"])
    optimizers.restore(live.optimizer, live.kind, live.model, parts["optimizer"])
    if live.average is not None:
        for name, weight in live.average.weights.items():
            weight.copy_(parts["average"][name])
    live.best = parts["best"] or None
    carried = [parts["carried"][str(index)].to(device) for index in range(len(parts["carried"]))]
    live.carried = trees.unflatten(scalars["carried"], carried)
    try:
        live.streams.restore(scalars["streams"])
        live.batches.restore(scalars["batches"])
        live.precision.restore(scalars["precision"])
    except (LookupError, ArithmeticError, AttributeError, TypeError, ValueError) as error:
        raise RunError(f"{path} is damaged: its data position cannot be restored.") from error
    live.state = State.from_json(scalars["state"])
    return int(scalars["metrics_size"])


def write_model(folder: Path, weights: Mapping[str, Tensor], step: int) -> None:
    """Writes `model.safetensors`: the weights of `step`, floating ones as float32."""
    arrays = {
        name: _array(tensor.float() if tensor.is_floating_point() else tensor)
        for name, tensor in weights.items()
    }
    store.save_tensors(folder / store.MODEL, arrays, {"step": str(step)})


def _check_weights(live: Live, path: Path, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """RunError unless the file's weights are those of the model, in name and shape."""
    weights = {name: tuple(value.shape) for name, value in live.model.state_dict().items()}
    averaged = live.average.weights if live.average else {}
    expected = {
        "model": weights,
        "average": {name: tuple(value.shape) for name, value in averaged.items()},
        "best": weights if any(name.startswith("best/") for name in shapes) else {},
    }
    for part, wanted in expected.items():
        found = {
            name.removeprefix(f"{part}/"): shape
            for name, shape in shapes.items()
            if name.startswith(f"{part}/")
        }
        if found != wanted:
            names = sorted(
                name for name in {*found, *wanted} if found.get(name) != wanted.get(name)
            )
            raise RunError(
                f"{path} does not fit the model: {part} {names[0]} is {found.get(names[0])}, "
                f"expected {wanted.get(names[0])}."
            )


def _scalars(path: Path, metadata: Mapping[str, str], kind: str) -> dict[str, Any]:
    try:
        scalars = store.parse(metadata["scalars"])
        size, optimizer = scalars["metrics_size"], scalars["optimizer"]
        names = {"state", "carried", "streams", "batches", "precision"}
        if type(size) is not int or size < 0 or not names <= set(scalars):
            raise TypeError("metrics_size")
    except (KeyError, TypeError) as error:
        raise RunError(f"{path} is damaged: it lacks its scalars.") from error
    except ValueError as error:
        raise RunError(f"{path} is damaged: its scalars are {error}.") from error
    if optimizer != kind:
        raise RunError(f"{path} was written by {optimizer!r}, and the config says {kind!r}.")
    return dict(scalars)


def _parts(path: Path, arrays: Mapping[str, NDArray[Any]]) -> dict[str, Weights]:
    parts: dict[str, Weights] = {
        part: {} for part in ("model", "optimizer", "average", "carried", "best")
    }
    for key, array in arrays.items():
        part, _, name = key.partition("/")
        if part not in parts:
            raise RunError(f"{path} is damaged: it holds {key!r}.")
        # In torch's memory, not NumPy's: the last bit of a product may depend on its alignment.
        parts[part][name] = torch.tensor(array)
    names = {str(index) for index in range(len(parts["carried"]))}
    if set(parts["carried"]) != names:
        raise RunError(f"{path} is damaged: its carried state is incomplete.")
    return parts


def _named(part: str, tensors: Mapping[str, Tensor]) -> Weights:
    return {f"{part}/{name}": tensor for name, tensor in tensors.items()}


def _copies(tensors: Mapping[str, Tensor]) -> Weights:
    return {name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}


def _array(tensor: Tensor) -> NDArray[Any]:
    tensor = tensor.detach().cpu()
    if tensor.dtype == torch.bfloat16:  # NumPy has none; float32 holds it exactly
        tensor = tensor.float()
    array: NDArray[Any] = tensor.numpy()
    return array
