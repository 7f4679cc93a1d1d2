"""A language model's loss with its gradients in one native call, where nothing needs to see more.

`LanguageModel.mean_nats` and `.backward()` give the same to rounding, in any case; here they are
taken together, without autograd.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from recurra import fused, kernels
from recurra.layers.losses import counted
from recurra.layers.stack import StackState
from recurra.shapes import check_shape

if TYPE_CHECKING:
    from recurra.models.language_model import LanguageModel

FEW = 128  # symbols whose x_gates take less time than autograd does, wanted or not


class Made(NamedTuple):
    """A loss that perhaps came with its gradients."""

    mean_nats: Tensor  # a scalar; with gradients it has no history
    state: StackState  # after the window, without history
    gradients: list[Tensor] | None = None  # by model.parameters(), in order


class WholeLoss:
    """What a model keeps from one such loss to the next: memory."""

    def __init__(self) -> None:
        self._run = fused.NetworkLoss()
        self._gradients: list[Tensor] = []

    def __call__(
        self,
        model: LanguageModel,
        ids: Tensor,
        targets: Tensor,
        mask: Tensor | None,
        state: StackState | None,
    ) -> Made | None:
        """The loss of ids and targets (T, B) after `state` (None: zeros), or None.

        None where the kernels do not take the network, or where something stands between: dropout,
        hooks, weights that are not trained, a learned initial state, a vocabulary of many symbols
        that are not in the window. The gradients are good until the next call. Raises what
        `mean_nats` raises.
        """
        parameters = list(model.parameters())
        if not _takes(model, parameters, ids, state):
            return None
        stack = model.recurrent
        check_shape("ids", ids, ("T", "B"))
        wanted = counted(targets, mask, ids.shape)
        before = None if state is None else stack.begin((len(ids), ids.shape[1]), state, None)
        if not self._gradients:
            self._gradients = [torch.empty_like(one) for one in parameters]
        nats, after = self._run(
            kernels.kind(stack.cell.name),
            _placed(model, parameters),
            _placed(model, self._gradients),
            ids.contiguous(),
            wanted.contiguous(),
            before,
        )
        final = tuple(stack.cell.State(*fields) for fields in after)
        return Made(torch.tensor(nats), final, self._gradients)


def _takes(
    model: LanguageModel, parameters: Sequence[Tensor], ids: Tensor, state: StackState | None
) -> bool:
    settings, stack = model.settings, model.recurrent
    if settings.learned_state or (model.training and (settings.dropout or settings.weight_dropout)):
        return False
    if not torch.is_grad_enabled() or len(model.projection["bias"]) > max(ids.numel(), FEW):
        return False
    for one in parameters:
        if not (one.requires_grad and one.is_contiguous()) or one._backward_hooks:
            return False
    for part in model.modules():
        if part._forward_hooks or part._forward_pre_hooks or part._backward_hooks:
            return False
    fields = [] if state is None else [one for layer in state for one in layer]
    if any(one.requires_grad for one in fields):
        return False
    return fused.takes(stack.cell, *parameters, *fields)


def _placed(model: LanguageModel, tensors: Sequence[Tensor]) -> fused.NetworkWeights:
    """The model's weights, or what is in their order, where the native call wants them."""
    rest = iter(tensors)
    embedding = next(rest) if model.settings.embedding_size else None
    layers = []
    for depth in range(model.recurrent.num_layers):
        (layer,) = model.recurrent.layers(depth)
        own = {name: next(rest) for name in layer.weight_names}
        weight_ih, weight_hh, bias = (own.pop(name) for name in ("weight_ih", "weight_hh", "bias"))
        layers.append((weight_ih, weight_hh, bias, next(iter(own.values()), None)))
    projection = embedding if model.settings.tied else next(rest)
    assert projection is not None
    return fused.NetworkWeights(embedding, layers, projection, next(rest))
