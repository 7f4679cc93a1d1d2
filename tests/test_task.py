"""What a user may give as an input, as the task's own Input."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from recurra.errors import ConfigError
from recurra.task import as_input


@dataclass(frozen=True)
class Book:
    title: str
    pages: int


@dataclass(frozen=True)
class Text:
    text: str


def test_an_input_is_itself_its_fields_in_order_or_a_table_of_them() -> None:
    wanted = Book("Sonnets", 154)
    assert as_input(Book, wanted) is wanted
    assert as_input(Book, ("Sonnets", 154)) == wanted
    assert as_input(Book, {"pages": 154, "title": "Sonnets"}) == wanted
    assert as_input(Text, "a text") == Text("a text")
    (text,) = np.array(["a text"])  # a str of NumPy's
    assert as_input(Text, text) == Text("a text")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("Sonnets", r"input = 'Sonnets': must be the fields of Book\(title, pages\)"),
        (("Sonnets", "many"), "input.pages = 'many': must be int, not str"),
        ({"title": "Sonnets"}, "input lacks pages"),
        (
            {"titel": "Sonnets", "pages": 1},
            "an input has no field 'titel': .* Did you mean 'title'",
        ),
        (("Sonnets",), r"must be the fields of Book\(title, pages\)"),
    ],
)
def test_what_fits_in_no_way_is_refused(given: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        as_input(Book, given)
