"""The state that a model carries from batch to batch, as a flat list of tensors and back.

A carried state is None, a tensor, or a tuple (or named tuple) of carried states.
"""

from __future__ import annotations

import keyword
from collections import namedtuple
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from recurra.errors import RunError

_DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.int64)
}


def detached(carried: Any) -> Any:
    """The same values in tensors of their own, without their history.

    A copy, so that a large tensor is not kept for one row of it, and so that a state lies in memory
    as one that was read from a file: the arithmetic on it is then the same to the last bit.
    """
    if isinstance(carried, Tensor):
        return carried.detach().clone(memory_format=torch.contiguous_format)
    if isinstance(carried, tuple):
        return _like(carried, [detached(item) for item in carried])
    return carried


def flatten(carried: Any) -> tuple[Any, list[Tensor]]:
    """(the structure as JSON values, its tensors in order)."""
    tensors: list[Tensor] = []
    return _structure(carried, tensors), tensors


def unflatten(structure: Any, tensors: Sequence[Tensor]) -> Any:
    """The carried state of that structure and those tensors; RunError where they do not fit.

    A named tuple comes back as one with the same fields, of a class made here.
    """
    remaining = iter(tensors)
    try:
        carried = _build(structure, remaining)
    except (StopIteration, TypeError, ValueError, KeyError, RecursionError) as error:
        raise RunError("the saved carried state is damaged.") from error
    if next(remaining, None) is not None:
        raise RunError("the saved carried state is damaged.")
    return carried


def _structure(carried: Any, tensors: list[Tensor]) -> Any:
    if carried is None:
        return None
    if isinstance(carried, Tensor):
        tensors.append(carried)
        return str(carried.dtype).removeprefix("torch.")
    if not isinstance(carried, tuple):
        raise TypeError(f"a carried state is made of tuples and tensors, not {type(carried)}")
    items = [_structure(item, tensors) for item in carried]
    return {"fields": list(getattr(carried, "_fields", ())), "items": items}


def _build(structure: Any, tensors: Iterator[Tensor]) -> Any:
    if structure is None:
        return None
    if isinstance(structure, str):
        return next(tensors).to(_DTYPES[structure])
    items = [_build(item, tensors) for item in structure["items"]]
    fields = structure["fields"]
    if not fields:
        return tuple(items)
    if len(fields) != len(items) or not all(_is_name(name) for name in fields):
        raise ValueError(fields)
    return namedtuple("Carried", fields)(*items)


def _is_name(name: Any) -> bool:
    return isinstance(name, str) and name.isidentifier() and not keyword.iskeyword(name)


def _like(old: tuple[Any, ...], items: list[Any]) -> tuple[Any, ...]:
    return type(old)(*items) if hasattr(old, "_fields") else tuple(items)
