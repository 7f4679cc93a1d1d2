"""The text a first run learns from: Python's own language reference, as `help()` prints it.

About half a megabyte of English and code that every full Python carries; no quality figure rests
on it, because it differs a little from one version of Python to the next.
"""

from __future__ import annotations

import hashlib
import platform

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
