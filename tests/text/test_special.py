"""Special symbols: no text holds them, the format lists them, the library reads them."""

from __future__ import annotations

import json

import pytest
import tokenizers as library

from recurra.errors import DataError, RunError
from recurra.text.tokenizers import Tokenizer, extend, fit, from_json, with_special


@pytest.fixture
def ours() -> Tokenizer:
    return with_special(fit("char", ["ab<x>\n"]), ["<x>", "<Scottish>"])


def test_they_stand_behind_the_characters_and_text_never_has_them(ours: Tokenizer) -> None:
    assert dict(ours.special) == {"<x>": 6, "<Scottish>": 7}
    assert ours.vocab_size == 8
    assert ours.encode("<x>").max() < 6
    assert ours.unseen("<x>") == []
    assert not fit("char", ["a"]).special
    assert not fit("word", ["a"]).special


def test_decoded_they_are_nothing_and_as_pieces_their_names(ours: Tokenizer) -> None:
    ids = [6, *ours.encode("ab").tolist()]
    assert ours.decode(ids) == "ab"
    assert ours.pieces(ids) == ["<x>", "a", "b"]


def test_the_library_gives_the_same_ids_and_text(ours: Tokenizer) -> None:
    theirs = library.Tokenizer.from_str(ours.to_json().decode())
    assert theirs.token_to_id("<Scottish>") == 7
    assert theirs.encode("<Scottish>ab\n").ids == [7, *ours.encode("ab\n").tolist()]
    assert theirs.decode([7, *ours.encode("ab").tolist()]) == "ab"


def test_they_are_read_back_and_kept_where_characters_are_added(ours: Tokenizer) -> None:
    again = from_json(ours.to_json())
    assert again.to_json() == ours.to_json()
    longer = with_special(extend(again, ["cab"]), ["<x>", "<y>"])
    assert longer.pieces(range(6, 10)) == ["<x>", "<Scottish>", "c", "<y>"]
    assert from_json(longer.to_json()).pieces(range(10)) == longer.pieces(range(10))


@pytest.mark.parametrize(
    ("added", "message"),
    [
        (None, "its added_tokens are no list"),
        ([3], "'added_tokens' that Recurra does not write"),
        ([{"content": "a"}], "'added_tokens' that Recurra does not write"),
        ([], "'<x>' is not one character"),
        ([{"content": "<x>"}, {"content": "<Scottish>"}], "'added_tokens' that Recurra does not"),
    ],
)
def test_a_list_of_them_that_is_not_ours_is_refused(
    ours: Tokenizer, added: object, message: str
) -> None:
    content = json.loads(ours.to_json()) | {"added_tokens": added}
    with pytest.raises(RunError, match=message):
        from_json(json.dumps(content).encode())


def test_a_vocabulary_of_nothing_else_is_refused(ours: Tokenizer) -> None:
    content = json.loads(ours.to_json())
    content["model"]["vocab"] = {"<x>": 0, "<Scottish>": 1}
    with pytest.raises(RunError, match="it has no character"):
        from_json(json.dumps(content).encode())


def test_an_unseen_character_is_still_named(ours: Tokenizer) -> None:
    with pytest.raises(DataError, match="no symbol for 'z'"):
        ours.encode("z")
