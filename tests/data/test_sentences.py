"""The built-in sentences: the same every time, tagged by the bio scheme."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from recurra.data.sentences import COUNT, as_columns, sentences
from recurra.text import conll


def test_they_are_the_same_every_time_and_read_back_from_columns(tmp_path: Path) -> None:
    found, source = sentences()
    assert len(found) == COUNT
    assert sentences() == (found, source)
    path = tmp_path / "columns.conll"
    path.write_text(as_columns(found))
    assert conll.read(path) == found
    assert source.bytes == path.stat().st_size


def test_every_span_begins_with_b_and_both_kinds_occur() -> None:
    found, _ = sentences()
    tags = [tag for sentence in found for tag in ("O", *sentence.tags)]
    assert {"B-PERSON", "I-PERSON", "B-PLACE", "I-PLACE", "O"} == set(tags)
    for before, tag in pairwise(tags):
        if tag.startswith("I-"):
            assert before in (tag, f"B-{tag[2:]}")
