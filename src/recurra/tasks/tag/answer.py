"""The answer of a tagger: a sentence with its tags, as text, in a notebook, as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any


@dataclass(frozen=True)
class Tagged:
    """A sentence with a tag for each word; spans where the tags are of spans."""

    words: tuple[str, ...]
    tags: tuple[str, ...]
    spans: tuple[tuple[int, int, str], ...] | None  # start, end (not in it), type; None: no spans

    def json(self) -> dict[str, Any]:
        """The result as JSON values."""
        result: dict[str, Any] = {"words": list(self.words), "tags": list(self.tags)}
        if self.spans is not None:
            result["spans"] = [
                {"start": start, "end": end, "type": kind, "text": " ".join(self.words[start:end])}
                for start, end, kind in self.spans
            ]
        return result

    def __str__(self) -> str:
        if self.spans is None:
            return " ".join(
                f"{word}/{tag}" for word, tag in zip(self.words, self.tags, strict=True)
            )
        return " ".join(f"[{text} {kind}]" if kind else text for text, kind in self._pieces())

    def _repr_html_(self) -> str:
        if self.spans is None:
            pairs = zip(self.words, self.tags, strict=True)
            marked = [f"{escape(word)}<sub>{escape(tag)}</sub>" for word, tag in pairs]
        else:
            marked = [
                f"<mark>{escape(text)} <sub>{escape(kind)}</sub></mark>" if kind else escape(text)
                for text, kind in self._pieces()
            ]
        return f"<p>{' '.join(marked)}</p>"

    def _pieces(self) -> list[tuple[str, str]]:
        """The text of each span with its type, and of each word outside with none."""
        pieces, at = [], 0
        for start, end, kind in self.spans or ():
            pieces += [(word, "") for word in self.words[at:start]]
            pieces.append((" ".join(self.words[start:end]), kind))
            at = end
        return pieces + [(word, "") for word in self.words[at:]]
