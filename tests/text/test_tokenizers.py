"""The four kinds of tokens: round trips, vocabularies, the policy for what was never seen."""

from __future__ import annotations

import sys
from collections import Counter

import numpy as np
import pytest
import tokenizers as library
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.errors import ConfigError, DataError, MissingExtraError
from recurra.text import tokenizers
from recurra.text.tokenizers import KINDS, Tokenizer, extend, fit

TEXT = "the cat is small\nthe cat's hat, the mat\n\n  naïve 大きさ 𝄞\r\n"
TOKENIZERS = {
    kind: fit(kind, [TEXT], bpe_vocab=280) for kind in KINDS
}  # hypothesis shares them between its examples: nothing in a tokenizer changes
any_text = st.text(st.characters(exclude_categories=["Cs"]))
known_text = st.text(st.sampled_from(sorted(set(TEXT))))


@settings(max_examples=200, deadline=None)
@given(text=known_text)
def test_characters_round_trip_exactly(text: str) -> None:
    tokenizer = TOKENIZERS["char"]
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert len(tokenizer.encode(text)) == len(text)


@settings(max_examples=200, deadline=None)
@given(text=any_text)
@pytest.mark.parametrize("kind", ["byte", "bpe"])
def test_bytes_and_byte_pairs_round_trip_any_text_exactly(kind: str, text: str) -> None:
    tokenizer = TOKENIZERS[kind]
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.unseen(text) == []


@settings(max_examples=200, deadline=None)
@given(text=any_text)
def test_byte_ids_are_the_bytes_of_utf8(text: str) -> None:
    assert TOKENIZERS["byte"].encode(text).tolist() == list(text.encode())


def test_bytes_that_are_no_utf8_pass_as_surrogate_escapes() -> None:
    text = bytes(range(256)).decode("utf-8", "surrogateescape")
    assert TOKENIZERS["byte"].encode(text).tolist() == list(range(256))


@settings(max_examples=200, deadline=None)
@given(lines=st.lists(st.lists(st.sampled_from(["the", "cat", "<unk>", "is"]))))
def test_words_round_trip_where_single_blanks_stand_between_them(lines: list[list[str]]) -> None:
    text = "".join(" ".join(line) + "\n" for line in lines)
    assert TOKENIZERS["word"].decode(TOKENIZERS["word"].encode(text)) == text


@settings(max_examples=100, deadline=None)
@given(text=known_text, kind=st.sampled_from(KINDS))
def test_the_stream_of_single_ids_gives_the_whole_text(text: str, kind: str) -> None:
    tokenizer = TOKENIZERS[kind]
    ids = tokenizer.encode(text)
    stream = tokenizer.stream()
    parts = [stream.push(int(index)) for index in ids]
    assert "".join([*parts, stream.end()]) == tokenizer.decode(ids)


@settings(max_examples=300, deadline=None)
@given(left=any_text, right=any_text, blank=st.sampled_from(" \n\t\r"))
@pytest.mark.parametrize("kind", ["word", "bpe", "byte"])
def test_a_text_cut_before_white_space_has_the_same_tokens(
    kind: str, left: str, right: str, blank: str
) -> None:
    """The border at which `reading.chunks` cuts: what lets a file be encoded piece by piece."""
    left, right = left + "x", blank + right
    encode = TOKENIZERS[kind].encode
    assert [*encode(left), *encode(right)] == encode(left + right).tolist()


@settings(max_examples=300, deadline=None)
@given(left=any_text, right=any_text, blank=st.sampled_from(" \n\t\r"))
def test_whatever_the_merges_no_byte_pair_reaches_over_such_a_cut(
    left: str, right: str, blank: str
) -> None:
    def parts(text: str) -> list[str]:
        form = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
        return [part for part, _ in form.pre_tokenize_str(text)]

    left, right = left + "x", blank + right
    assert parts(left) + parts(right) == parts(left + right)


def test_a_long_text_of_byte_pairs_is_the_sum_of_its_lines() -> None:
    text = TEXT * 2000  # several of the parts that the library gets
    assert TOKENIZERS["bpe"].decode(TOKENIZERS["bpe"].encode(text)) == text
    line = " " * 60 + "\nthe cat"  # a run of white space must not be cut inside
    tokenizer = fit("bpe", [line * 50], bpe_vocab=330)
    ids = tokenizer.encode(line).tolist()
    assert len(ids) < len(line) / 4  # blanks are merged, so a cut inside would be seen
    assert tokenizer.encode(line * 3000).tolist() == ids * 3000


@pytest.mark.parametrize("kind", KINDS)
def test_ids_are_int32_and_below_the_vocabulary(kind: str) -> None:
    tokenizer = TOKENIZERS[kind]
    ids = tokenizer.encode(TEXT)
    assert ids.dtype == np.int32
    assert 0 <= ids.min() <= ids.max() < tokenizer.vocab_size
    assert tokenizer.encode("").tolist() == []
    assert tokenizer.decode([]) == ""


@pytest.mark.parametrize("kind", KINDS)
def test_the_newline_id_is_the_token_of_a_line_end(kind: str) -> None:
    tokenizer = TOKENIZERS[kind]
    assert tokenizer.newline_id is not None
    assert tokenizer.encode("\n").tolist() == [tokenizer.newline_id]


def test_characters_without_a_line_end_have_no_newline_id() -> None:
    assert fit("char", ["hello"]).newline_id is None


def test_pieces_show_each_token() -> None:
    def shown(kind: str, text: str) -> list[str]:
        return TOKENIZERS[kind].pieces(TOKENIZERS[kind].encode(text).tolist())

    assert shown("char", "ï大\n") == ["ï", "大", "\n"]
    assert shown("byte", "aï\n") == ["a", r"\xc3", r"\xaf", "\n"]
    assert shown("word", "the  dog\n") == ["the", "<unk>", "<eos>"]
    assert "".join(shown("bpe", "the cat")) == "the cat"


def test_bytes_that_make_no_character_decode_as_the_replacement() -> None:
    assert TOKENIZERS["byte"].decode([0xC3, ord("a")]) == "\ufffda"
    assert TOKENIZERS["byte"].decode([0xE5, 0xA4]) == "\ufffd"


@settings(max_examples=100, deadline=None)
@given(texts=st.lists(any_text, min_size=1).filter(any))
def test_characters_are_sorted_by_code_point_however_the_text_is_cut(texts: list[str]) -> None:
    symbols = sorted(set("".join(texts)))
    tokenizer = fit("char", texts)
    assert [tokenizer.decode([index]) for index in range(tokenizer.vocab_size)] == symbols
    assert tokenizer.unknown_id is None


@settings(max_examples=100, deadline=None)
@given(text=st.text(st.sampled_from("aabbbcdé "), min_size=1), room=st.integers(3, 6))
def test_a_full_vocabulary_keeps_the_most_frequent_characters(text: str, room: int) -> None:
    counts = Counter(text)
    tokenizer = fit("char", [text], max_vocab=room)
    if len(counts) <= room:
        assert tokenizer.unknown_id is None
        return
    assert tokenizer.vocab_size == room
    ids = tokenizer.encode(text)
    lost = {
        symbol for symbol, index in zip(text, ids, strict=True) if index == tokenizer.unknown_id
    }
    kept = set(text) - lost
    assert max(counts[symbol] for symbol in lost) <= min(counts[symbol] for symbol in kept)
    expected = "".join("\ufffd" if symbol in lost else symbol for symbol in text)
    assert tokenizer.decode(ids) == expected


def test_rare_characters_become_the_replacement_character() -> None:
    tokenizer = fit("char", ["aab", "ba𝄞"], min_count=2)
    assert tokenizer.vocab_size == 3
    assert tokenizer.decode(tokenizer.encode("a𝄞b大")) == "a\ufffdb\ufffd"
    assert tokenizer.unseen("a𝄞b大") == ["大", "𝄞"]


def test_a_character_never_seen_is_an_error_that_names_it_and_the_ways_out() -> None:
    with pytest.raises(DataError) as caught:
        TOKENIZERS["char"].encode("the zoo 大𐍈")
    message = str(caught.value)
    assert message.startswith("the model has no symbol for 'o' (U+006F), 'z' (U+007A), ")
    assert "'𐍈' (U+10348)" in message
    assert "--tokens byte" in message
    assert "--min-count 2" in message
    assert TOKENIZERS["char"].unseen("the zoo 大𐍈") == ["o", "z", "𐍈"]


def test_many_unseen_characters_are_cut_short() -> None:
    with pytest.raises(DataError, match=r"'7' \(U\+0037\) and 2 more: not in the text"):
        fit("char", ["a"]).encode("0123456789")


def test_words_are_unk_and_eos_and_then_sorted() -> None:
    tokenizer = fit("word", ["b a\nc", " b <unk>\n"])
    assert tokenizer.pieces(range(tokenizer.vocab_size)) == ["<unk>", "<eos>", "a", "b", "c"]


def test_a_standard_corpus_reads_as_it_is() -> None:
    """A line of the Penn treebank's form: its `<unk>` and N are tokens, its line end is `<eos>`."""
    line = " no <unk> was N years old \n"
    tokenizer = fit("word", [line])
    ids = tokenizer.encode(line).tolist()
    assert tokenizer.pieces(ids) == ["no", "<unk>", "was", "N", "years", "old", "<eos>"]
    assert ids[1] == tokenizer.unknown_id
    assert ids[-1] == tokenizer.newline_id


def test_words_outside_the_vocabulary_are_the_unknown_symbol() -> None:
    tokenizer = fit("word", ["a a a b b c\n"], max_vocab=4)
    assert tokenizer.decode(tokenizer.encode("a b c\nd")) == "a b <unk>\n<unk>"
    assert fit("word", ["a a b"], min_count=2).unseen("a b") == ["b"]


def test_of_equally_frequent_words_the_first_by_code_point_stay() -> None:
    tokenizer = fit("word", ["d c b a"], max_vocab=4)
    assert tokenizer.pieces([2, 3]) == ["a", "b"]


@pytest.mark.parametrize("kind", KINDS)
def test_extending_keeps_every_old_id(kind: str) -> None:
    old = TOKENIZERS[kind]
    new = extend(old, ["Zwölf Boxkämpfer\n"])
    assert new.encode(TEXT).tolist() == old.encode(TEXT).tolist()
    assert new.decode(new.encode("Zwölf Boxkämpfer")) == "Zwölf Boxkämpfer"


def test_new_symbols_come_last_and_sorted() -> None:
    assert _symbols(extend(fit("char", ["mn"]), ["zanb"])) == ["m", "n", "a", "b", "z"]
    words = extend(fit("word", ["m"]), ["z a m\n"])
    assert _symbols(words) == ["<unk>", "<eos>", "m", "a", "z"]


def test_extending_minds_the_limits_and_takes_nothing_away() -> None:
    assert _symbols(extend(fit("char", ["abcd"]), ["xxy"], max_vocab=3)) == [*"abcd", "\ufffd"]
    extended = extend(fit("char", ["ab"]), ["xxxyyz"], min_count=2)
    assert _symbols(extended) == ["a", "b", "x", "y", "\ufffd"]
    assert extended.unknown_id == 4
    words = extend(fit("word", ["a"]), ["x x y"], min_count=2)
    assert _symbols(words) == ["<unk>", "<eos>", "a", "x"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("texts", [[], [""]])
def test_no_text_gives_no_vocabulary(kind: str, texts: list[str]) -> None:
    if kind == "byte":
        assert fit(kind, texts).vocab_size == 256
        return
    with pytest.raises(DataError, match=r"there is no text|no two bytes"):
        fit(kind, texts)


@pytest.mark.parametrize("kind", ["char", "byte", "bpe"])
def test_half_a_surrogate_pair_is_no_text(kind: str) -> None:
    with pytest.raises(DataError, match=r"half a surrogate pair, U\+D834, at character 1"):
        TOKENIZERS[kind].encode("a\ud834")


def test_settings_that_cannot_be_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"unknown tokens 'chars'.*Did you mean 'char'\?"):
        fit("chars", ["a"])
    with pytest.raises(ConfigError, match="min_count = 0: must be 1 or more"):
        fit("char", ["a"], min_count=0)
    with pytest.raises(ConfigError, match="max_vocab = 2: must be 3 or more"):
        fit("word", ["a"], max_vocab=2)
    with pytest.raises(ConfigError, match="are of char and word tokens, not of byte"):
        fit("byte", ["a"], min_count=2)
    with pytest.raises(ConfigError, match="bpe_vocab = 256: must be 257 to 1,000,000"):
        fit("bpe", ["a"], bpe_vocab=256)


def test_byte_pairs_without_the_library_say_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ids = TOKENIZERS["bpe"].encode(TEXT)
    alone = tokenizers.from_json(TOKENIZERS["bpe"].to_json())
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    assert alone.decode(ids) == TEXT  # reading a model's output needs nothing
    with pytest.raises(MissingExtraError, match=r'pip install "recurra\[bpe\]"'):
        alone.encode("the")


def _symbols(tokenizer: Tokenizer) -> list[str]:
    return tokenizer.pieces(range(tokenizer.vocab_size))
