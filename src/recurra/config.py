"""Frozen config dataclasses: described fields, checked values, flat names, JSON and back.

A task's Config nests groups (`model`, `data`, `training`); their fields are the task's flags, flat
and unique. A field is declared with `option`, which holds its default, its help and, where the
default was chosen by measurement or taken from somewhere, its provenance.
"""

from __future__ import annotations

import dataclasses
import math
import types
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from recurra.errors import ConfigError, did_you_mean

C = TypeVar("C")

LARGEST = 2**63  # no whole number of a setting reaches it


def option(default: Any, help: str, *, why: str = "a guess") -> Any:
    """A config field: its default, what it means with its unit, and why the default is that."""
    return field(default=default, metadata={"help": help, "why": why})


def require(condition: bool, name: str, value: Any, must: str) -> None:
    """Nothing if the condition holds, else ConfigError: '<name> = <value>: <must>'."""
    if not condition:
        raise ConfigError(f"{name} = {value!r}: {must}.")


def require_one_of(name: str, value: str, known: Sequence[str]) -> None:
    """Nothing if `value` is among the known, else ConfigError with all of them and the nearest."""
    if value not in known:
        near = did_you_mean(str(value), known)
        raise ConfigError(f"{name} = {value!r}: must be one of {', '.join(known)}.{near}")


@dataclass(frozen=True)
class Option:
    """One flat setting of a config: where it lives, its type, default and descriptions."""

    name: str
    group: str  # the field of the config that holds it, '' at the top
    type: Any
    default: Any
    help: str
    why: str


def options(config: Any) -> dict[str, Option]:
    """Every setting of a config instance by its flat name, the instance's values as defaults."""
    found: dict[str, Option] = {}
    hints = get_type_hints(type(config))
    for item in fields(config):
        value = getattr(config, item.name)
        if is_dataclass(value):
            found |= {
                name: dataclasses.replace(inner, group=item.name)
                for name, inner in options(value).items()
            }
            continue
        meta = item.metadata
        found[item.name] = Option(
            item.name, "", hints[item.name], value, meta.get("help", ""), meta.get("why", "")
        )
    return found


def updated(config: C, settings: Mapping[str, Any]) -> C:
    """The config with the given flat settings in place; ConfigError for an unknown one."""
    known = options(config)
    groups: dict[str, dict[str, Any]] = {}
    for name, value in settings.items():
        if name not in known:
            raise ConfigError(f"unknown setting {name!r}.{did_you_mean(name, known)}")
        groups.setdefault(known[name].group, {})[name] = _checked(name, value, known[name].type)
    changes: dict[str, Any] = groups.pop("", {})
    for group, values in groups.items():
        changes[group] = dataclasses.replace(getattr(config, group), **values)
    return dataclasses.replace(config, **changes)  # type: ignore[type-var]


def to_json(config: Any) -> dict[str, Any]:
    """The config as nested JSON values."""
    return {
        item.name: to_json(value) if is_dataclass(value := getattr(config, item.name)) else value
        for item in fields(config)
    }


def from_json(kind: type[C], values: Any, where: str = "config") -> C:
    """The config of dataclass `kind` in nested JSON values, every type checked.

    A setting that is missing is one that came after the values were written, so an `option` that is
    added must default to what was done without it. Raises ConfigError for a key that is unknown,
    for a missing one without a default, and for a value of another type.
    """
    require(isinstance(values, dict), where, values, "must be a table of settings")
    hints = get_type_hints(kind)
    known = [item.name for item in fields(kind)]  # type: ignore[arg-type]
    for name in values:
        if name not in known:
            raise ConfigError(f"unknown setting {where}.{name}.{did_you_mean(name, known)}")
    needed = [item.name for item in fields(kind) if item.default is MISSING]  # type: ignore[arg-type]
    if missing := [name for name in needed if name not in values]:
        raise ConfigError(f"{where} lacks {', '.join(missing)}.")
    return kind(
        **{
            name: from_json(hints[name], values[name], f"{where}.{name}")
            if is_dataclass(hints[name])
            else _checked(f"{where}.{name}", values[name], hints[name])
            for name in values
        }
    )


def _checked(name: str, value: Any, kind: Any) -> Any:
    """`value` if it is of the annotated type (an int passes for a float), else ConfigError."""
    accepted = get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)
    if isinstance(value, int) and not isinstance(value, bool):
        require(abs(value) < LARGEST, name, value, "is too large a number")
        if float in accepted and int not in accepted:
            return float(value)
    if isinstance(value, float):
        require(math.isfinite(value), name, value, "must be a finite number")
        value = float(value)  # NumPy's float64, a float too, computes by other rules
    if isinstance(value, str):
        require(is_text(value), name, value, "must be Unicode text")
    kinds = tuple(one for one in accepted if one is not int or not isinstance(value, bool))
    if isinstance(value, kinds):
        return value
    wanted = " or ".join("none" if one is type(None) else one.__name__ for one in accepted)
    raise ConfigError(f"{name} = {value!r}: must be {wanted}, not {type(value).__name__}.")


def is_text(value: str) -> bool:
    """Whether it can be written as UTF-8; a lone surrogate (bytes of no encoding) cannot."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
