"""The folder is the registry: a public module of `recurra.<folder>` is a name a config may use.

A name from a file is looked up in a listing before anything is imported.
"""

from __future__ import annotations

import ast
from importlib import import_module
from pathlib import Path
from types import ModuleType

from recurra.errors import ConfigError, unknown


def names(folder: str) -> list[str]:
    """The public modules and packages of recurra.<folder>, sorted."""
    root = Path(__file__).parent / folder
    entries = (
        path.stem if path.suffix == ".py" else path.name
        for path in root.iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    )
    return sorted(name for name in entries if not name.startswith("_"))


def load(folder: str, name: str) -> ModuleType:
    """The module recurra.<folder>.<name>; ConfigError listing the known names if there is none."""
    if name not in (known := names(folder)):
        raise ConfigError(unknown(folder.removesuffix("s"), name, known))
    return import_module(f"recurra.{folder}.{name}")


def summary(folder: str, name: str) -> str:
    """The first line of the module's docstring, read without importing it."""
    return _docstring(folder, name).partition("\n")[0]


def examples(folder: str, name: str) -> tuple[str, ...]:
    """The lines below "Examples:" in the module's docstring, read without importing it."""
    _, _, below = _docstring(folder, name).partition("Examples:\n")
    return tuple(line.strip() for line in below.splitlines())


def _docstring(folder: str, name: str) -> str:
    root = Path(__file__).parent / folder / name
    path = root / "__init__.py" if root.is_dir() else root.with_suffix(".py")
    return ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
