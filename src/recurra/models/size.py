"""Whether a network fits this machine: asked before anything of it is allocated."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping

from recurra.errors import ConfigError

BYTES_TO_TRAIN = 16  # a parameter: weight, gradient and Adam's two averages in float32


def require_room(shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Nothing if weights of these shapes can be trained in this machine's memory, else ConfigError.

    Where the system does not tell how much memory it has, nothing is refused.
    """
    parameters = sum(math.prod(shape) for shape in shapes.values())
    needed, have = BYTES_TO_TRAIN * parameters, physical_memory()
    if have is not None and needed > have:
        raise ConfigError(
            f"the network would have {parameters:,} parameters and need {needed / 2**30:,.1f} GiB "
            f"to train; this machine has {have / 2**30:,.1f} GiB. Use a smaller hidden_size, "
            "num_layers or vocabulary."
        )


def physical_memory() -> int | None:
    """Bytes of memory of the machine, or None where it does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # Windows has no sysconf
        return None
