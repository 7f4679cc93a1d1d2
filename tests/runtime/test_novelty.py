"""What sampled names have in common with the training part, counted by hand."""

from __future__ import annotations

import json

import pytest

from recurra.errors import DataError
from recurra.runtime.novelty import report


def test_names_are_copied_new_or_said_twice() -> None:
    found = report(["ann", "bob", "zed", "zed", ""], ["ann", "bob", "cleo"])
    assert (found.names, found.in_training, found.new, found.repeated) == (5, 2, 3, 1)
    assert (found.mean_length, found.longest) == (12 / 5, 3)
    assert json.loads(json.dumps(found.json()))["new"] == 3
    assert str(found).splitlines() == [
        "5 names: 3 new, 2 in the training part, 1 sampled before",
        "  2.40 characters on average, the longest 3",
    ]


def test_nothing_sampled_is_refused() -> None:
    with pytest.raises(DataError, match="no name was sampled"):
        report([], ["ann"])
