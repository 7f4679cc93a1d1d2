"""A language model's loss with its gradients in one native call, where nothing needs to see more.

`LanguageModel.mean_nats` and `.backward()` give the same to rounding, in any case; here they are
taken together, without autograd.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from recurra import fused, kernels
from recurra.layers.layer import Layer
from recurra.layers.losses import counted
from recurra.layers.stack import Stack, StackState
from recurra.runtime.settings import NetworkSettings
from recurra.shapes import check_shape

FEW = 128  # symbols whose x_gates take less time than autograd does, wanted or not


class Made(NamedTuple):
    """A loss that perhaps came with its gradients."""

    mean_nats: Tensor  # a scalar; with gradients it has no history
    state: StackState  # after the window, without history
    gradients: list[Tensor] | None = None  # by model.parameters(), in order


class WholeLoss:
    """The loss of one model, window after window."""

    def __init__(self, stack: Stack, settings: NetworkSettings, *others: nn.ParameterDict) -> None:
        """`others`: the embedding, empty where there is none, and the projection."""
        self._stack = stack
        self._settings = settings
        self._modules = list(stack.modules())
        embedding, projection = others
        layers = [layer for depth in range(stack.num_layers) for layer in stack.layers(depth)]
        # Where each parameter stands in its module, which may be given another one.
        self._slots = [
            (module._parameters, name)
            for module in (embedding, *layers, projection)
            for name, _ in module.named_parameters()
        ]
        self._symbols = len(projection["bias"])
        self._run: fused.NetworkLoss | None = None
        if fused.has_kernel(stack.cell):
            self._run = fused.NetworkLoss(
                kernels.kind(stack.cell.name), _places(layers, bool(len(embedding)), settings.tied)
            )

    def __call__(
        self, ids: Tensor, targets: Tensor, mask: Tensor | None, state: StackState | None
    ) -> Made | None:
        """The loss of ids and targets (T, B) after `state` (None: zeros), or None.

        None where the kernels do not take the network, or where something stands between: dropout,
        hooks, weights that are not trained, a learned initial state, a vocabulary of many symbols
        that are not in the window. The gradients are good until the next call. Raises what
        `mean_nats` raises.
        """
        own = [module[name] for module, name in self._slots]
        weights = [one for one in own if one is not None]
        run = self._run
        if run is None or len(weights) < len(own) or not self._takes(weights, ids, state):
            return None
        check_shape("ids", ids, ("T", "B"))
        wanted = counted(targets, mask, ids.shape).contiguous()
        before = None
        if state is not None:
            before = self._stack.begin((len(ids), ids.shape[1]), state, None)
        nats, after = run(weights, ids.contiguous(), wanted, before)
        kind = self._stack.cell.State
        return Made(torch.tensor(nats), tuple(kind(*one) for one in after), run.gradients)

    def _takes(self, weights: Sequence[Tensor], ids: Tensor, state: StackState | None) -> bool:
        settings, stack = self._settings, self._stack
        dropped = stack.training and (settings.dropout or settings.weight_dropout)
        if dropped or settings.learned_state or not torch.is_grad_enabled():
            return False
        if self._symbols > max(ids.numel(), FEW):
            return False
        for one in weights:
            if not one.requires_grad or not one.is_contiguous() or one._backward_hooks:
                return False
        for part in self._modules:
            if part._forward_hooks or part._forward_pre_hooks or part._backward_hooks:
                return False
        fields = () if state is None else [one for layer in state for one in layer]
        for one in fields:
            if one.requires_grad:
                return False
        return fused.readable(*weights, *fields)


def _places(layers: Sequence[Layer], embedded: bool, tied: bool) -> fused.Places:
    """In a list of the embedding's, each layer's as it names them, and the projection's."""
    count = int(embedded)
    found = []
    for layer in layers:
        own = {name: count + index for index, name in enumerate(layer.weight_names)}
        count += len(own)
        weight_ih, weight_hh, bias = (own.pop(name) for name in ("weight_ih", "weight_hh", "bias"))
        found.append((weight_ih, weight_hh, bias, next(iter(own.values()), None)))
    return fused.Places(
        0 if embedded else None, tuple(found), 0 if tied else count, count if tied else count + 1
    )
