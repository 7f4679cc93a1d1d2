"""The weights of torch.nn.RNN, LSTM and GRU into a stack, and back.

Works on state dicts, so a file of torch weights needs no module. torch keeps two biases a gate of
which only the sum counts; a stack has the sum, and gives it back as (b, 0). The GRU's n-bias inside
the reset is the exception: there both count, and the stack has both.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from recurra.errors import ConfigError, ShapeError
from recurra.layers.stack import Stack

CELLS = ("rnn", "relu_rnn", "irnn", "lstm", "gru")  # those whose equations torch.nn has


def load_torch_weights(stack: Stack, weights: Mapping[str, Tensor]) -> None:
    """Copies `weights`, the state_dict of an nn.RNN, nn.LSTM or nn.GRU, into `stack`.

    The stack's cell, sizes, layers and directions must be the module's; a module without biases
    gives zeros. A learned initial state of the stack is left as it is.

    Raises ConfigError for a cell that torch.nn has not, a missing or an unknown weight (a
    projection of the LSTM's, `weight_hr`, is one), ShapeError for a weight of another shape.
    """
    _require_known_cell(stack)
    biased = "bias_ih_l0" in weights
    wanted = {key: value.shape for key, value in torch_weights(stack).items()}
    wanted = {key: shape for key, shape in wanted.items() if biased or "bias" not in key}
    if wanted.keys() != weights.keys():
        missing = ", ".join(sorted(wanted.keys() - weights.keys())) or "nothing"
        unknown = ", ".join(sorted(weights.keys() - wanted.keys())) or "nothing"
        raise ConfigError(
            f"these are not the weights of a torch.nn module like this stack: missing {missing}; "
            f"unknown {unknown}. Check cell, num_layers and bidirectional."
        )
    for key, shape in wanted.items():
        if weights[key].shape != shape:
            raise ShapeError(
                f"{key} must have shape {tuple(shape)} but has {tuple(weights[key].shape)}."
            )
    with torch.no_grad():
        for layer in _layers(stack):
            for name in ("weight_ih", "weight_hh"):
                stack.get_parameter(f"{layer}.{name}").copy_(weights[f"{name}_{layer}"])
            for name, value in _from_two_biases(stack, weights, layer, biased).items():
                stack.get_parameter(f"{layer}.{name}").copy_(value)


def torch_weights(stack: Stack) -> dict[str, Tensor]:
    """The state_dict of the torch.nn module that computes what `stack` does; all copies.

    Raises ConfigError for a cell that torch.nn has not.
    """
    _require_known_cell(stack)
    weights: dict[str, Tensor] = {}
    for layer in _layers(stack):
        own = {name: stack.get_parameter(f"{layer}.{name}").detach() for name in _names(stack)}
        inside = torch.zeros_like(own["bias"])
        if "bias_hn" in own:
            inside[2 * stack.hidden_size :] = own["bias_hn"]
        weights[f"weight_ih_{layer}"] = own["weight_ih"].clone()
        weights[f"weight_hh_{layer}"] = own["weight_hh"].clone()
        weights[f"bias_ih_{layer}"] = own["bias"].clone()
        weights[f"bias_hh_{layer}"] = inside
    return weights


def _from_two_biases(
    stack: Stack, weights: Mapping[str, Tensor], layer: str, biased: bool
) -> dict[str, Tensor]:
    """The cell's biases by name, from torch's bias_ih and bias_hh (G·H,)."""
    names = [name for name in _names(stack) if name.startswith("bias")]
    if not biased:
        return {name: torch.zeros(()) for name in names}
    outer, inner = weights[f"bias_ih_{layer}"].clone(), weights[f"bias_hh_{layer}"]
    if "bias_hn" not in names:
        return {"bias": outer + inner}
    summed = slice(2 * stack.hidden_size)  # r and z; n's two biases stay apart
    outer[summed] += inner[summed]
    return {"bias": outer, "bias_hn": inner[2 * stack.hidden_size :]}


def _layers(stack: Stack) -> list[str]:
    """The name of each layer and direction, torch's suffix too: l0, l0_reverse, l1, …"""
    directions = ("", "_reverse")[: stack.num_directions]
    return [f"l{depth}{way}" for depth in range(stack.num_layers) for way in directions]


def _names(stack: Stack) -> tuple[str, ...]:
    return stack.layers(0)[0].weight_names


def _require_known_cell(stack: Stack) -> None:
    if type(stack.cell).__module__ not in {f"recurra.cells.{name}" for name in CELLS}:
        raise ConfigError(
            f"torch.nn has no cell {stack.cell.name!r}: its weights can be exchanged with "
            f"{', '.join(CELLS)} alone."
        )
