"""Whether the kernels are there, for which cells, and with which instructions.

Two environment variables decide: RECURRA_KERNELS=off leaves everything to the reference path, and
RECURRA_ISA=avx512|avx2|baseline takes that instruction set instead of the best, once a process.
"""

from __future__ import annotations

import os
from functools import cache
from importlib import import_module
from typing import Any, NamedTuple

from recurra.errors import ConfigError
from recurra.kernels._kinds import KINDS

native: Any
try:
    native = import_module("recurra._native")  # compiled: built, or not, when this was installed
except ImportError as error:
    native = None
    _why_not_loaded = str(error)


class InstructionSets(NamedTuple):
    """The sets that build and processor both have, best first, and the one in use."""

    available: tuple[str, ...]
    chosen: str


def why_missing() -> str | None:
    """One line that says why the kernels are not used, or None where they are.

    Raises ConfigError for a RECURRA_ISA that cannot be had, or a RECURRA_KERNELS but on or off.
    """
    off = os.environ.get("RECURRA_KERNELS") == "off" if native is None else native.switched_off()
    if off:
        return "RECURRA_KERNELS=off"
    if native is None:
        return (
            "this installation was built without a C++20 compiler "
            f"(install one and run pip install again; {_why_not_loaded})"
        )
    instruction_sets()
    return None


def names() -> list[str]:
    """The cells that have a kernel, whether or not it is there."""
    return sorted(KINDS)


@cache
def instruction_sets() -> InstructionSets:
    """What there is and what is used; ConfigError as for `why_missing`."""
    if native is None:
        raise ConfigError("there are no native kernels: " + _why_not_loaded)
    if (asked := os.environ.get("RECURRA_KERNELS", "")) not in ("", "on", "off"):
        raise ConfigError(f"RECURRA_KERNELS is {asked}, but it can only be on or off.")
    try:
        return InstructionSets(tuple(native.available()), native.chosen())
    except ValueError as error:
        raise ConfigError(str(error)) from None
