"""Whether a module must be called itself: hooks watch it, or it has a `forward` of its own."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn
from torch.nn.modules.module import _has_any_global_hook


def hooked(modules: Iterable[nn.Module]) -> bool:
    """Whether a hook on calls, or a `forward` of the instance's own, stands on one of them, or a
    hook on all modules there are."""
    for one in modules:
        if (
            one._forward_hooks
            or one._forward_pre_hooks
            or one._backward_hooks
            or one._backward_pre_hooks
            or "forward" in one.__dict__
        ):
            return True
    return bool(_has_any_global_hook())  # type: ignore[no-untyped-call]
