r"""How a line without a header is written, as a pattern of named fields: '{label}:{kind} {text}'.

A field reaches to the first place where what stands after it in the pattern follows; the last
reaches to the line's end. `\t` in a pattern is a tab. Tables with a header need no pattern.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from recurra.errors import ConfigError, DataError

_FIELD = re.compile(r"\{(\w+)\}")


class LineForm:
    """A pattern, ready to take lines apart.

    Raises ConfigError unless every field of `needed` stands in it, none twice, and something
    stands between two fields.
    """

    def __init__(self, pattern: str, needed: Sequence[str]) -> None:
        self.pattern = pattern
        parts = _FIELD.split(pattern.replace("\\t", "\t"))  # literal, field, literal, …
        literals, fields = parts[::2], parts[1::2]
        if missing := [name for name in needed if name not in fields]:
            raise ConfigError(
                f"line = {pattern!r}: lacks {{{missing[0]}}}. It must name "
                f"{' and '.join(f'{{{name}}}' for name in needed)}."
            )
        if len(set(fields)) < len(fields) or "" in literals[1:-1]:
            raise ConfigError(
                f"line = {pattern!r}: each field may stand once, with something between two fields."
            )
        if odd := next((name for name in fields if not name.isidentifier()), None):
            raise ConfigError(f"line = {pattern!r}: {odd!r} is no name of a field.")
        expression = re.escape(literals[0])
        for field, literal in zip(fields, literals[1:], strict=True):
            expression += f"(?P<{field}>.*?){re.escape(literal)}"
        self._expression = re.compile(expression, re.DOTALL)

    def fields(self, line: str, where: str) -> dict[str, str]:
        """The fields of a line by name; DataError naming `where` if it is not of this form."""
        found = self._expression.fullmatch(line)
        if found is None:
            raise DataError(f"{where}: {line[:60]!r} is not of the form {self.pattern!r}.")
        return found.groupdict()
