"""The weights moved: the gradients' norm, clipping and an optimizer's step, all in one call."""

from __future__ import annotations

from collections.abc import Sequence

from recurra.errors import ShapeError
from recurra.kernels._arrays import Place
from recurra.kernels._available import native

RULES = ("sgd", "adam", "adamw", "adagrad", "rmsprop")  # in the order of native/update.hpp
_EACH = 6  # entries of a parameter
_NO_LIMIT = float("inf")


def update(
    rule: str,
    parameters: Sequence[Place],
    decays: Sequence[float],
    *,
    rate: float,
    momentum: float = 0.0,
    square_decay: float = 0.0,
    epsilon: float = 0.0,
    clip_value: float | None = None,
    clip_norm: float | None = None,
    threads: int = 1,
) -> tuple[float, bool]:
    """The L2 norm of all gradients before clipping, and whether anything was cut.

    Cuts every gradient's element to ±clip_value, then scales all to the norm clip_norm, and moves
    the weights by torch.optim's formula of one of `RULES`, each with its weight decay. The
    gradients are read only: what was cut is nowhere written. Where the norm is not finite, nothing
    is changed; one whose square float32 cannot hold is infinite. The bits do not depend on
    `threads`.

    parameters: of each five float32 arrays that do not overlap (torch tensors or addresses,
    unchecked) and how many numbers they have: weight, gradient, the momentum or mean of gradients
    (sgd, adam, adamw), the sum or mean of their squares (all but sgd), a single number that counts
    the updates, each None where there is none. momentum, square_decay, epsilon: torch's momentum
    or betas[0], betas[1] or alpha, eps. A denormal number counts as zero, in the state too: beside
    epsilon, and beside adagrad's sum, it is less than rounding.

    Raises ShapeError where there are not six of them for each decay.
    """
    if len(parameters) != _EACH * len(decays):
        raise ShapeError(
            f"there must be {_EACH} entries for each of {len(decays)} parameters but there are "
            f"{len(parameters)}."
        )
    norm, cut = native.update(
        RULES.index(rule),
        parameters,
        decays,
        rate,
        momentum,
        square_decay,
        epsilon,
        _NO_LIMIT if clip_value is None else clip_value,
        _NO_LIMIT if clip_norm is None else clip_norm,
        threads,
    )
    return norm, cut
