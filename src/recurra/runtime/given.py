"""Texts that a user gives a model (prompt, text, context, stop text): to ids, or one clear error.

What the model then does with the ids is in `sampling` and `scoring`.
"""

from __future__ import annotations

from recurra.errors import ConfigError, DataError
from recurra.text.tokenizers import Ids, Tokenizer


def encode(tokenizer: Tokenizer, text: str, what: str) -> Ids:
    """The ids of the text, which errors call `what` ('the prompt').

    Raises ConfigError for what is not valid text and, where the tokenizer has no unknown symbol,
    DataError for a symbol it does not have: which, where, and what to do.
    """
    check_valid(text, what)
    if tokenizer.unknown_id is None and (unseen := tokenizer.unseen(text)):
        raise DataError(_never_seen(text, unseen, what))
    return tokenizer.encode(text)


def check_valid(text: str, what: str) -> None:
    """Nothing, or ConfigError for what is no string, or has half a surrogate pair in it.

    Bytes of a command line that are not UTF-8 arrive as such halves.
    """
    if not isinstance(text, str):  # a list of texts, from Python
        raise ConfigError(f"{what} must be one str, not {type(text).__name__}.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        point = ord(text[error.start])
        byte = 0xDC80 <= point <= 0xDCFF
        found = f"byte 0x{point - 0xDC00:02x}" if byte else f"half a surrogate pair, U+{point:04X},"
        raise ConfigError(
            f"{what} is not valid text (UTF-8): {found} at character {error.start:,}, counted "
            "from 0. Leave it out, or give the text in UTF-8."
        ) from None


def _never_seen(text: str, unseen: list[str], what: str) -> str:
    first = min(unseen, key=text.index)
    others = len(unseen) - 1
    more = f" (nor for {others} other symbol{'s' * (others > 1)} in it)" if others else ""
    return (
        f"the model has no symbol for {first!r} (U+{ord(first):04X}), character "
        f"{text.index(first):,} of {what}, counted from 0{more}: it was not in the text it was "
        "trained on. Leave it out, or train on text that has it, or train an lm with --tokens "
        "byte, which reads any text."
    )
