"""The symbols a model knows, in a fixed order: a symbol's place is its id.

Which symbols are kept is decided here; how a text is cut into symbols is a tokenizer's business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from recurra.errors import ConfigError, DataError


class Vocabulary:
    """Distinct symbols, id = position, and which of them stands for every other (or None)."""

    def __init__(self, symbols: Sequence[str], unknown: str | None = None) -> None:
        self.symbols = tuple(symbols)
        self.ids = {symbol: index for index, symbol in enumerate(self.symbols)}
        self.unknown = unknown
        if len(self.ids) != len(self.symbols):
            raise DataError("a vocabulary cannot hold the same symbol twice.")

    def __len__(self) -> int:
        return len(self.symbols)

    @property
    def unknown_id(self) -> int | None:
        """The id of the unknown symbol, None where there is none."""
        return None if self.unknown is None else self.ids[self.unknown]


def check_limits(min_count: int, max_vocab: int | None) -> None:
    """ConfigError where no vocabulary could be chosen under these limits."""
    if min_count < 1:
        raise ConfigError(f"min_count = {min_count}: must be 1 or more.")
    if max_vocab is not None and max_vocab < 3:
        raise ConfigError(f"max_vocab = {max_vocab}: must be 3 or more.")


def choose(counts: Mapping[str, int], room: int | None, min_count: int) -> list[str]:
    """The symbols kept, sorted by code point: at most `room` of them, each seen `min_count` times.

    Where there is too little room the most frequent stay; of equally frequent ones, the first by
    code point. The order depends on the counts alone, never on the order in the text.
    """
    kept = [symbol for symbol, count in counts.items() if count >= min_count]
    if room is not None and len(kept) > room:
        kept = sorted(kept, key=lambda symbol: (-counts[symbol], symbol))[: max(room, 0)]
    return sorted(kept)
