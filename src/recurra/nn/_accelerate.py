"""An existing model's recurrent layers swapped for ours in place, and back."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import nn

from recurra import kernels
from recurra.nn._layers import GRU, LSTM, RNN

PAIRS: dict[type[nn.Module], type[nn.Module]] = {nn.RNN: RNN, nn.LSTM: LSTM, nn.GRU: GRU}


@dataclass
class Swapped:
    """What became of a model's recurrent layers, by their names in the model."""

    swapped: dict[str, str] = field(default_factory=dict)  # name: class
    skipped: dict[str, str] = field(default_factory=dict)  # name: why
    not_used: str | None = None  # why the kernels are not, where they are not

    def __str__(self) -> str:
        lines = [
            f"swapped {name or 'the model itself'}: {kind}" for name, kind in self.swapped.items()
        ]
        lines += [f"left {name or 'the model itself'}: {why}" for name, why in self.skipped.items()]
        if self.swapped and self.not_used:
            lines.append(f"none is faster, the native kernels are not used: {self.not_used}")
        return "\n".join(lines) or "there is no recurrent layer in it"


def accelerate(model: nn.Module) -> Swapped:
    """Makes the model's torch.nn.RNN, LSTM and GRU ours, in place; says which.

    Only modules whose type is exactly torch's change, and of those only the class: parameters,
    buffers, hooks and an optimizer that holds them stay. `restore` changes back. Not for a model
    that changes a layer's output in place, which the backward pass reads (of torch.nn.LSTM's, too).
    """
    result = Swapped(not_used=kernels.why_missing())
    for name, module in model.named_modules():
        if type(module) in PAIRS:
            if getattr(module, "proj_size", 0):
                result.skipped[name] = "it has proj_size, which the kernels do not cover"
                continue
            module.__class__ = PAIRS[type(module)]
            result.swapped[name] = type(module).__name__
        elif type(module) in PAIRS.values():
            result.skipped[name] = f"it is recurra.nn.{type(module).__name__} already"
        elif isinstance(module, nn.RNNBase):
            result.skipped[name] = f"{type(module).__qualname__} is a class of its own"
        elif isinstance(module, nn.RNNCellBase):
            kind = type(module).__qualname__
            result.skipped[name] = f"{kind} is one step, and the kernels take a whole sequence"
    return result


def restore(model: nn.Module) -> Swapped:
    """Makes every layer of the model that is ours torch's, however it became so; says which.

    A class made of ours, as a parametrization makes one, is left.
    """
    back = {ours: theirs for theirs, ours in PAIRS.items()}
    result = Swapped()
    for name, module in model.named_modules():
        if type(module) in back:
            module.__class__ = back[type(module)]
            result.swapped[name] = f"torch.nn.{type(module).__name__}"
        elif isinstance(module, tuple(back)):
            result.skipped[name] = f"{type(module).__qualname__} is a class of its own"
    return result
