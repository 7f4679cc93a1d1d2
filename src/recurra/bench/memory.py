"""Freed memory that stays with the process, so that no row depends on the rows before it.

glibc gives memory back to the system above limits that it raises as larger pieces are freed; what
comes from there again comes as page faults. So a program of ten megabytes was half as fast in a
fresh process as after a row of forty, torch's own loops most of all.
"""

from __future__ import annotations

import ctypes

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # mallopt's numbers, <malloc.h>
TRIM, MMAP = 2**30, 2**25  # bytes; glibc refuses more than 32 MB for the second


def kept() -> bool:
    """Sets both limits as high as they go, for the rest of the process. False: not glibc.

    Other allocators have no such limits, or none that a program could set.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
        ctypes.CDLL(None).gnu_get_libc_version  # noqa: B018  # musl has a mallopt that does nothing
    except (AttributeError, OSError, TypeError):  # TypeError: Windows wants a name
        return False
    return bool(mallopt(TRIM_THRESHOLD, TRIM) and mallopt(MMAP_THRESHOLD, MMAP))
