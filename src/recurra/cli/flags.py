"""Flags: how one is described, how its value is read, and a config's settings as flags.

A task's settings become flags from what `recurra.config.options` says of them; nothing here has a
default of its own. A verb is called with the flags that were given and no others.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from cyclopts import Group, Parameter, Token

from recurra.config import Option
from recurra.errors import ConfigError

# cyclopts takes a lone hyphen for a flag: it is given this instead, which no argument can hold
STDIN = "\0-"

KINDS = {int: "a whole number", float: "a number", str: "text"}


def flag(help: str, *, name: str | None = None, free: bool = False) -> Parameter:
    """A verb's own flag or argument; `free`: any text, hyphens first too, and by default none."""
    return Parameter(
        name=name,
        help=help,
        converter=read_value,
        allow_leading_hyphen=free,
        show_default=None if not free else False,
        negative="",
    )


def switch(help: str, *, name: str | None = None) -> Parameter:
    """A verb's own flag without a value."""
    return Parameter(name=name, help=help, negative="", show_default=False)


def with_settings(verb: Callable[..., Any], settings: Mapping[str, Option]) -> Callable[..., Any]:
    """The verb with a flag for each setting in place of its `**` argument."""
    hints = get_type_hints(verb, include_extras=True)
    own = [
        parameter.replace(annotation=hints[name])
        for name, parameter in inspect.signature(verb).parameters.items()
        if parameter.kind is not parameter.VAR_KEYWORD
    ]

    def called(*arguments: Any, **flags: Any) -> Any:
        return verb(*arguments, **flags)

    groups = {item.group: _group(item.group) for item in settings.values()}
    flags = [_parameter(item, groups[item.group]) for item in settings.values()]
    called.__name__, called.__doc__ = verb.__name__, verb.__doc__
    called.__signature__ = inspect.Signature([*own, *flags])  # type: ignore[attr-defined]
    called.__annotations__ = {}
    return called


def restored(text: str) -> str:
    """The argument as it was typed."""
    return "-" if text == STDIN else text


def accepted(kind: Any) -> tuple[Any, ...]:
    """The types an annotation accepts: `int | None` is (int, NoneType)."""
    return get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)


def read_value(kind: Any, tokens: Sequence[Token]) -> Any:
    """The value of a flag's text; `none` where the setting may be None. ConfigError if neither."""
    if get_origin(kind) in (tuple, list):
        return tuple(restored(token.value) for token in tokens)
    text, kinds = restored(tokens[0].value), accepted(kind)
    if type(None) in kinds and text.lower() == "none":
        return None
    for each in kinds:
        if each is not type(None) and (value := _read(each, text)) is not None:
            return value
    wanted = [KINDS.get(each, "none") for each in kinds]
    name = tokens[0].keyword or "an argument"
    raise ConfigError(f"{name} {text!r}: must be {' or '.join(wanted)}.")


def _read(kind: Any, text: str) -> Any:
    try:
        return kind(text)
    except ValueError:
        return None


def _group(name: str) -> Group:
    """The panel of a config's group in the help; panels come in the order they are made."""
    return Group.create_ordered(name.replace("_", " ").capitalize() or "Of the task")


def _parameter(setting: Option, group: Group) -> inspect.Parameter:
    kind = setting.type
    shown = "none" if setting.default is None else setting.default
    if isinstance(shown, bool):
        shown = "yes" if shown else "no"
    elif shown == "":
        shown = "empty"
    # what may be asked of a run stands in no group, and needs no reason for what it does unasked
    why = f"; {setting.why}" if setting.group else ""
    description = Parameter(
        help=f"{setting.help} [default: {shown}{why}]",
        group=group,
        # cyclopts hands a converter `int` for `int | None`, and `none` would be lost
        converter=None if kind is bool else lambda _, tokens: read_value(kind, tokens),
        show_default=False,
    )
    return inspect.Parameter(
        setting.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=setting.default,
        annotation=Annotated[kind, description],
    )
