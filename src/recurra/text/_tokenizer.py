"""What every kind of tokenizer gives. How each cuts a text is in a file of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from recurra.text.vocabulary import Vocabulary

Ids: TypeAlias = NDArray[np.int32]


class TextStream(Protocol):
    """Turns ids into text one at a time; what it gave, joined, is `decode` of all the ids."""

    def push(self, index: int) -> str:
        """The text that this id makes certain: '' while a symbol's last bytes are missing."""

    def end(self) -> str:
        """What was still held back."""


class Tokenizer(ABC):
    """Text to ids in [0, vocab_size) and back."""

    kind: ClassVar[str]  # char, byte, word or bpe

    @property
    @abstractmethod
    def vocab_size(self) -> int:
        """How many ids there are."""

    @property
    @abstractmethod
    def unknown_id(self) -> int | None:
        """The id of the symbol for whatever has none, or None where there is no such symbol."""

    @property
    @abstractmethod
    def newline_id(self) -> int | None:
        """The id of a line's end ('\\n'; of words `<eos>`), or None where it has none."""

    @property
    def special(self) -> Mapping[str, int]:
        """The symbols that no text holds, with their ids: one for the start of each class."""
        return {}

    @abstractmethod
    def unseen(self, text: str) -> list[str]:
        """The distinct symbols of the text that have no id of their own, sorted."""

    @abstractmethod
    def encode(self, text: str) -> Ids:
        """The ids of the text, (tokens,) int32; DataError where it has a symbol without any id."""

    @abstractmethod
    def stream(self) -> TextStream:
        """A fresh decoder for ids that come one at a time."""

    @abstractmethod
    def pieces(self, ids: Iterable[int]) -> list[str]:
        """Each token as text to look at, bytes that are no character alone as \\xNN."""

    @abstractmethod
    def to_json(self) -> bytes:
        """The tokenizer.json of Hugging Face's tokenizers; `from_json` reads it back."""

    def decode(self, ids: Iterable[int] | Sequence[int]) -> str:
        """The text of the ids."""
        stream = self.stream()
        return "".join([*(stream.push(int(index)) for index in ids), stream.end()])


class SymbolTokenizer(Tokenizer):
    """A tokenizer whose ids are places in a vocabulary of whole symbols."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary

    @property
    def vocab_size(self) -> int:
        return len(self.vocabulary)

    @property
    def unknown_id(self) -> int | None:
        return self.vocabulary.unknown_id

    def pieces(self, ids: Iterable[int]) -> list[str]:
        return [self.vocabulary.symbols[index] for index in ids]
