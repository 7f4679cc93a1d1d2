"""Ids turned back into text as they are drawn, up to a stop string."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from recurra.config import require
from recurra.runtime.given import check_valid
from recurra.runtime.language_model import Ids
from recurra.text.tokenizers import Tokenizer


@dataclass
class Pieces:
    """Ids to text as they come, cut before the first stop string."""

    tokenizer: Tokenizer
    prompt_ids: Ids
    stop: tuple[str, ...]
    stopped: bool = False  # a stop string was found: nothing more comes
    _held: str = ""  # text that may turn out to begin a stop string
    _decoder: Any = field(init=False)

    def __post_init__(self) -> None:
        require(all(self.stop), "stop", self.stop, "an empty string stands everywhere")
        for one in self.stop:
            check_valid(one, "a stop text")
        self._decoder = self.tokenizer.stream()
        for index in self.prompt_ids:  # what a word looks like depends on the one before it
            self._decoder.push(int(index))

    def read(self, ids: Iterable[int]) -> Iterator[str]:
        """The text that each id makes certain, up to the id that completes a stop string."""
        pieces = map(self._decoder.push, ids)
        return self._up_to_stop(pieces) if self.stop else pieces

    def end(self) -> str:
        """What was still held back."""
        return "" if self.stopped else self._release(self._decoder.end(), final=True)

    def _up_to_stop(self, pieces: Iterator[str]) -> Iterator[str]:
        for new in pieces:
            yield self._release(new, final=False)
            if self.stopped:
                return

    def _release(self, new: str, *, final: bool) -> str:
        text = self._held + new
        found = [place for one in self.stop if (place := text.find(one)) >= 0]
        if found:
            self.stopped, self._held = True, ""
            return text[: min(found)]
        keep = 0 if final else _begun(text, self.stop)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]


def _begun(text: str, stop: Sequence[str]) -> int:
    """The length of the longest end of `text` with which a stop string begins."""
    longest = min(len(text), max((len(one) - 1 for one in stop), default=0))
    sizes = range(longest, 0, -1)
    return next((n for n in sizes if any(one.startswith(text[-n:]) for one in stop)), 0)
