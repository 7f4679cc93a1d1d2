"""JSON as the run folder's files are read: what could not be written again is refused.

Python's reader also takes NaN, infinities, integers past any float and strings that are no text
(half of a surrogate pair); each of them breaks something far from where it was read.
"""

from __future__ import annotations

import json
import math
from typing import Any


def parse(text: str | bytes) -> Any:
    """The values in `text`; ValueError, whose one line completes '… is damaged: ', otherwise."""
    try:
        values = json.loads(text, parse_int=_integer)
        written = json.dumps(values, ensure_ascii=False, allow_nan=False)
    except RecursionError:
        raise ValueError("not JSON (nested too deeply)") from None
    except ValueError as error:
        raise ValueError(f"not JSON ({str(error).splitlines()[0]})") from error
    try:
        written.encode()
    except UnicodeEncodeError:
        raise ValueError("a string in it is not text (half of a surrogate pair)") from None
    return values


def _integer(digits: str) -> int:
    """The integer, where a float can hold it: a setting that is a float may be given as one."""
    if math.isinf(float(digits)):
        raise ValueError("an integer is past any float")
    return int(digits)
