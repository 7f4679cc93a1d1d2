"""Shape checks at the public doors: microseconds, always on."""

from __future__ import annotations

from typing import Any

from recurra.errors import ShapeError


def check_shape(what: str, array: Any, expected: tuple[int | str, ...], hint: str = "") -> None:
    """Nothing, if `array` has the expected shape; a string in `expected` stands for any size.

    Raises ShapeError naming both shapes. `check_shape("x", x, ("T", "B", 65))`.
    """
    found = tuple(array.shape)
    if found == expected:
        return
    fits = len(found) == len(expected) and all(
        isinstance(want, str) or want == have for want, have in zip(expected, found, strict=True)
    )
    if not fits:
        wanted = ", ".join(str(size) for size in expected) + ("," if len(expected) == 1 else "")
        message = f"{what} must have shape ({wanted}) but has {found}."
        raise ShapeError(f"{message} {hint}".rstrip())
