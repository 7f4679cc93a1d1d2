"""What a first run learns from, where a user names no data. No quality figure rests on any of it.

A language model has Python's own language reference, as `help()` prints it: about half a megabyte
of English and code that every full Python carries, a little different from version to version.
Names are a list of our own.
"""

from __future__ import annotations

import hashlib
import platform
from pathlib import Path

from recurra.errors import DataError
from recurra.text.files import Source


def text() -> tuple[str, Source]:
    """The topics of `pydoc_data.topics` in alphabetical order, and the text's size and hash.

    Raises DataError where this Python comes without them.
    """
    try:
        from pydoc_data.topics import topics
    except ImportError as error:
        raise DataError(
            "this Python has no pydoc_data.topics, the built-in text: name a text file of yours."
        ) from error
    joined = "\n".join(topics[name].strip("\n") + "\n" for name in sorted(topics))
    data = joined.encode()
    name = f"pydoc_data.topics of Python {platform.python_version()}"
    return joined, Source("", name, len(data), hashlib.sha256(data).hexdigest())


def names() -> tuple[tuple[str, ...], Source]:
    """Some four hundred given names, common and invented, a few of them near each other."""
    data = (Path(__file__).parent / "given_names.txt").read_bytes()
    source = Source("", "given_names.txt of Recurra", len(data), hashlib.sha256(data).hexdigest())
    return tuple(data.decode().split()), source
