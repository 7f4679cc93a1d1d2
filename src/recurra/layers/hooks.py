"""Whether torch's hooks watch a module: then what it takes and gives must be there to be seen."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn
from torch.nn.modules.module import _has_any_global_hook


def hooked(modules: Iterable[nn.Module]) -> bool:
    """Whether a hook on calls stands on one of them, or on all modules there are."""
    for one in modules:
        if (
            one._forward_hooks
            or one._forward_pre_hooks
            or one._backward_hooks
            or one._backward_pre_hooks
        ):
            return True
    return bool(_has_any_global_hook())  # type: ignore[no-untyped-call]
