"""The built-in text."""

from __future__ import annotations

import hashlib
import sys

import pytest

from recurra.data import builtin
from recurra.errors import DataError


def test_it_is_about_half_a_megabyte_with_its_hash() -> None:
    text, source = builtin.text()
    assert 300_000 < source.bytes == len(text.encode()) < 1_000_000
    assert source.sha256 == hashlib.sha256(text.encode()).hexdigest()
    assert source.name.startswith("pydoc_data.topics of Python 3.")


def test_it_is_the_same_text_every_time() -> None:
    assert builtin.text() == builtin.text()


def test_its_topics_stand_in_alphabetical_order() -> None:
    text, _ = builtin.text()
    assert text.startswith('The "assert" statement')
    assert 0 < text.index('The "break" statement\n***') < text.index('The "with" statement\n***')


def test_a_python_without_it_says_so_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    with pytest.raises(DataError, match=r"no pydoc_data\.topics.*name a text file of yours"):
        builtin.text()
