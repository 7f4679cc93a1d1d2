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
from recurra.layers.hooks import hooked
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

    def __init__(self, model: nn.Module, stack: Stack, settings: NetworkSettings) -> None:
        """`model` has the `stack`, an embedding, empty where there is none, and a projection."""
        self._stack = stack
        self._settings = settings
        self._modules = list(model.modules())
        # Where each part stands, which may be given another one; where each weight does.
        self._parts = [
            (module._modules, name, part)
            for module in self._modules
            for name, part in module.named_children()
        ]
        self._slots = [
            (module._parameters, name, weight.shape)
            for module in self._modules
            for name, weight in module.named_parameters(recurse=False)
        ]
        self._symbols = len(dict(model.named_parameters())["projection.bias"])
        self._run: fused.NetworkLoss | None = None
        if fused.has_kernel(stack.cell):
            layers = [layer for depth in range(stack.num_layers) for layer in stack.layers(depth)]
            self._run = fused.NetworkLoss(
                kernels.kind(stack.cell.name),
                _places(layers, bool(settings.embedding_size), settings.tied),
            )

    def __call__(
        self, ids: Tensor, targets: Tensor, mask: Tensor | None, state: StackState | None
    ) -> Made | None:
        """The loss of ids and targets (T, B) after `state` (None: zeros), or None.

        None where the kernels do not take the network or the window, or where something stands
        between: dropout, hooks, weights that are not trained or not the model's own, a learned
        initial state, a vocabulary of many symbols that are not in the window. The gradients are
        good until the thread's next call. Raises what `mean_nats` raises.
        """
        own = [module.get(name) for module, name, _ in self._slots]
        weights = [one for one in own if one is not None]
        run = self._run
        if run is None or len(weights) < len(own) or not self._takes(weights, ids, targets, state):
            return None
        check_shape("ids", ids, ("T", "B"))
        wanted = counted(targets, mask, ids.shape).contiguous()
        before = None
        if state is not None:
            before = self._stack.begin((len(ids), ids.shape[1]), state, None)
        nats, after, gradients = run(weights, ids.contiguous(), wanted, before)
        kind = self._stack.cell.State
        mean = torch.tensor(nats, dtype=torch.float32, device="cpu")
        return Made(mean, tuple(kind(*one) for one in after), gradients)

    def _takes(
        self, weights: Sequence[Tensor], ids: Tensor, targets: Tensor, state: StackState | None
    ) -> bool:
        settings = self._settings
        if settings.learned_state or not torch.is_grad_enabled() or hooked(self._modules):
            return False
        if not (ids.is_cpu and targets.is_cpu) or ids.dtype is not torch.int64:
            return False
        if not ids.numel() or self._symbols > max(ids.numel(), FEW):
            return False
        drops = bool(settings.dropout or settings.weight_dropout)
        if drops:
            for part in self._modules:
                if part.training:
                    return False
        for owner, name, part in self._parts:
            if owner.get(name) is not part:
                return False
        for one, (_, _, shape) in zip(weights, self._slots, strict=True):
            if not (one.requires_grad and one.is_leaf and one.is_contiguous()):
                return False
            if one.shape != shape or one._backward_hooks or one._post_accumulate_grad_hooks:
                return False
        fields = () if state is None else [one for layer in state for one in layer]
        for value in fields:
            if value.requires_grad:
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
