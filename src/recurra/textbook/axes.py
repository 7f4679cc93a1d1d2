"""Between the three axis orders that the lectures use for one and the same tensor.

    notes        (n_x, m, T_x)   features, sequences, steps    the cell API of this package
    time-major   (T, B, I)       steps, sequences, features    Recurra elsewhere; torch's default
    batch-first  (B, T, I)       sequences, steps, features    torch with batch_first=True

n_x = I, m = B, T_x = T. Every function returns a view of its argument: nothing is copied. Nothing
here looks at values, and no function guesses which order it was given.
"""

from __future__ import annotations

from recurra.shapes import check_shape
from recurra.textbook._checks import Array


def notes_to_time_major(x: Array) -> Array:
    """(T, B, I) from (n_x, m, T_x)."""
    check_shape("x", x, ("n_x", "m", "T_x"))
    return x.transpose(2, 1, 0)


def notes_to_batch_first(x: Array) -> Array:
    """(B, T, I) from (n_x, m, T_x)."""
    check_shape("x", x, ("n_x", "m", "T_x"))
    return x.transpose(1, 2, 0)


def time_major_to_notes(x: Array) -> Array:
    """(n_x, m, T_x) from (T, B, I)."""
    check_shape("x", x, ("T", "B", "I"))
    return x.transpose(2, 1, 0)


def time_major_to_batch_first(x: Array) -> Array:
    """(B, T, I) from (T, B, I)."""
    check_shape("x", x, ("T", "B", "I"))
    return x.transpose(1, 0, 2)


def batch_first_to_notes(x: Array) -> Array:
    """(n_x, m, T_x) from (B, T, I)."""
    check_shape("x", x, ("B", "T", "I"))
    return x.transpose(2, 0, 1)


def batch_first_to_time_major(x: Array) -> Array:
    """(T, B, I) from (B, T, I)."""
    check_shape("x", x, ("B", "T", "I"))
    return x.transpose(1, 0, 2)
