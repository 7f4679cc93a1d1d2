"""`list`: the cells and the tasks there are, with a line each, read without importing them."""

from __future__ import annotations

from typing import Annotated

from recurra import registry
from recurra.cli.flags import flag, switch
from recurra.errors import ConfigError, unknown
from recurra.training.words import as_json

LISTS = ("cells", "tasks")


def list_verb(
    what: Annotated[str, flag("cells or tasks")],
    /,
    *,
    json_: Annotated[
        bool, switch("one JSON object: each name with its line", name="--json")
    ] = False,
) -> int:
    """Lists what there is."""
    if what not in LISTS:
        raise ConfigError(unknown("list", what, LISTS))
    found = {name: registry.summary(what, name) for name in registry.names(what)}
    if json_:
        print(as_json(found))
        return 0
    width = max(map(len, found), default=0)
    for name, line in found.items():
        print(f"{name:<{width}}  {line}")
    return 0
