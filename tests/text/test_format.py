"""tokenizer.json: the library `tokenizers` reads ours, and we refuse what is not ours."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
import tokenizers as library
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.errors import RecurraError, RunError
from recurra.text import _format
from recurra.text.tokenizers import KINDS, fit, from_json

TEXT = "the cat is small\nthe cat's hat, the mat\n\n  naïve 大きさ 𝄞\r\n\x1c\x85"
OURS = {kind: fit(kind, [TEXT], bpe_vocab=280) for kind in KINDS}
THEIRS = {kind: library.Tokenizer.from_str(OURS[kind].to_json().decode()) for kind in KINDS}
any_text = st.text(st.characters(exclude_categories=["Cs"]))


@settings(max_examples=200, deadline=None)
@given(text=any_text)
@pytest.mark.parametrize("kind", ["byte", "word", "bpe"])
def test_the_library_gives_any_text_the_same_ids(kind: str, text: str) -> None:
    assert THEIRS[kind].encode(text).ids == OURS[kind].encode(text).tolist()


@settings(max_examples=200, deadline=None)
@given(text=st.text(st.sampled_from(sorted(set(TEXT)))))
def test_the_library_gives_characters_the_same_ids(text: str) -> None:
    assert THEIRS["char"].encode(text).ids == OURS["char"].encode(text).tolist()


@settings(max_examples=100, deadline=None)
@given(text=any_text)
def test_the_library_gives_unknown_characters_the_same_id(text: str) -> None:
    ours = fit("char", [TEXT], min_count=2)
    theirs = library.Tokenizer.from_str(ours.to_json().decode())
    assert theirs.encode(text).ids == ours.encode(text).tolist()


@pytest.mark.parametrize("kind", ["char", "byte", "bpe"])
def test_the_library_decodes_to_the_same_text(kind: str) -> None:
    ids = OURS[kind].encode(TEXT).tolist()
    assert THEIRS[kind].decode(ids, skip_special_tokens=False) == TEXT


def test_the_library_writes_a_line_end_of_words_as_eos() -> None:
    """The one limit of the format: it has no way to say how words join across lines."""
    ids = OURS["word"].encode("the cat\nis").tolist()
    assert THEIRS["word"].decode(ids) == "the cat <eos> is"


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_read_back(kind: str) -> None:
    again = from_json(OURS[kind].to_json())
    assert again.kind == kind
    assert again.to_json() == OURS[kind].to_json()
    assert again.encode(TEXT).tolist() == OURS[kind].encode(TEXT).tolist()
    assert (again.unknown_id, again.newline_id) == (OURS[kind].unknown_id, OURS[kind].newline_id)


@pytest.mark.parametrize("kind", ["char", "word"])
def test_a_cut_vocabulary_is_read_back_with_its_unknown_symbol(kind: str) -> None:
    cut = fit(kind, [TEXT], min_count=2)
    again = from_json(cut.to_json())
    assert again.unknown_id == cut.unknown_id is not None


def test_a_replacement_character_of_the_text_is_not_taken_for_the_unknown_symbol() -> None:
    assert from_json(fit("char", ["a\ufffd"]).to_json()).unknown_id is None


def edited(kind: str, **changes: Any) -> bytes:
    """The kind's file with other parts, those of the model under `model`."""
    content = json.loads(OURS[kind].to_json())
    content["model"] |= changes.pop("model", {})
    return json.dumps(content | changes).encode()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "tokenizer.json is damaged"),
        (b"\x80\x04\x95", "tokenizer.json is damaged"),
        (b"[" * 100_000, "tokenizer.json is damaged"),
        (b"[1]", "has no table 'model'"),
        (b'{"model": 3}', "has no table 'model'"),
        (b'{"model": {"type": "Unigram"}}', "a model of type 'Unigram', not ours"),
        (b'{"model": {"type": ["BPE"]}}', "not ours"),
        (edited("char", model={"vocab": {}}), "its model has no vocabulary"),
        (edited("char", model={"vocab": []}), "its model has no vocabulary"),
        (edited("char", model={"vocab": {"a": 10**12}}), "id of 'a' is 1000000000000, but the ids"),
        (edited("char", model={"vocab": {"a": -1}}), "the id of 'a' is -1, but"),
        (edited("char", model={"vocab": {"a": 0, "b": 0}}), "the id of 'b' is 0, but the ids"),
        (edited("char", model={"vocab": {"a": False}}), "the id of 'a' is False, but"),
        (edited("char", model={"vocab": {"a": 0.0}}), "the id of 'a' is 0.0, but"),
        (edited("char", model={"vocab": {"ab": 0}}), "'ab' is not one character"),
        (edited("char", model={"vocab": {"": 0}}), "'' is not one character"),
        (edited("char", model={"vocab": {"\ud834": 0}}), "a symbol is half a surrogate pair"),
        (edited("char", model={"unk_token": "\ufffd"}), "unknown symbol is not in its vocabulary"),
        (edited("char", model={"unk_token": "a"}), "has a 'model' that Recurra does not write"),
        (edited("word", model={"vocab": {"a": 0}}), "its words lack <unk> or <eos>"),
        (
            edited("word", model={"vocab": {"<unk>": 0, "<eos>": 1, "a b": 2}}),
            "'a b' is not one word",
        ),
        (edited("bpe", model={"merges": {"a": "b"}}), "no list of merges"),
        (edited("bpe", model={"merges": [["a", "☃"]]}), "no merge can be"),
        (edited("bpe", model={"merges": ["a b"]}), "no merge can be"),
        (edited("bpe", model={"merges": [[["a"], "b"]]}), "no merge can be"),
        (edited("bpe", model={"vocab": {"a": 0}}), "lacks 255 of the 256 bytes"),
        (edited("bpe", model={"vocab": {"☃": 0}}), "'☃' does not stand for bytes"),
        (edited("byte", model={"vocab": {"a": 0}}), "'model' that Recurra does not write"),
        (edited("char", added_tokens=[{"id": 0}]), "'added_tokens' that Recurra does not write"),
        (edited("char", truncation={"max_length": 1}), "'truncation' that Recurra does not write"),
        (edited("bpe", normalizer={"type": "NFC"}), "'normalizer' that Recurra does not write"),
        (edited("word", surprise=1), "'surprise' that Recurra does not write: 1"),
        (
            edited("char", pre_tokenizer=_format.split_at("(a+)+$", "Isolated")),
            "'pre_tokenizer' that Recurra does not write",
        ),
    ],
)
def test_a_file_that_is_not_ours_is_refused_in_one_line(data: bytes, message: str) -> None:
    with pytest.raises(RunError, match=message) as caught:
        from_json(data)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_file_that_is_too_large_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_format, "MAX_BYTES", 10)
    with pytest.raises(RunError, match=r"has 12 bytes: at most 10 are read"):
        from_json(b'{"model":{}}')


json_value = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)


@settings(max_examples=100, deadline=None)
@given(kind=st.sampled_from(KINDS), value=json_value, data=st.data())
def test_any_one_value_changed_is_read_or_refused_never_a_crash(
    kind: str, value: Any, data: st.DataObject
) -> None:
    content = json.loads(OURS[kind].to_json())
    where = data.draw(st.sampled_from([content, content["model"], content["model"]["vocab"]]))
    where[data.draw(st.sampled_from(sorted(where)))] = value
    with contextlib.suppress(RecurraError):
        from_json(json.dumps(content).encode()).encode("the cat")
