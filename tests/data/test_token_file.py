"""A text as one array of tokens: in memory, in the cache, or in a temporary file."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from recurra.data import token_file
from recurra.data.token_file import cache_folder, encode_files, encode_text
from recurra.errors import DataError
from recurra.text.files import Source, expand
from recurra.text.tokenizers import KINDS, Tokenizer, fit

TEXT = "one two\nthree é\n" * 50


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    (tmp_path / "1.txt").write_bytes(TEXT.encode())
    (tmp_path / "2.txt").write_bytes(b"two one")
    return [tmp_path / "1.txt", tmp_path / "2.txt"]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache that even small texts go to."""
    monkeypatch.setattr(token_file, "IN_MEMORY_BYTES", 0)
    monkeypatch.setenv("RECURRA_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tokens"


def tokenizer_of(kind: str = "char") -> Tokenizer:
    return fit(kind, [TEXT], bpe_vocab=260)


@pytest.mark.parametrize("kind", KINDS)
def test_the_tokens_are_those_of_the_files_one_after_the_other(
    files: list[Path], kind: str
) -> None:
    tokenizer = tokenizer_of(kind)
    expected = [*tokenizer.encode(TEXT), *tokenizer.encode("two one")]
    tokens = encode_files(files, tokenizer)
    assert tokens.ids.tolist() == expected
    assert tokens.counts.tolist() == np.bincount(expected, minlength=tokenizer.vocab_size).tolist()
    assert tokens.bytes == len(TEXT.encode()) + 7
    assert [source.name for source in tokens.sources] == ["1.txt", "2.txt"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_cached_file_holds_the_same_tokens(files: list[Path], kind: str, cache: Path) -> None:
    tokenizer = tokenizer_of(kind)
    expected = [*tokenizer.encode(TEXT), *tokenizer.encode("two one")]
    assert encode_files(files, tokenizer).ids.tolist() == expected
    assert len(list(cache.iterdir())) == 1
    assert encode_files(files, tokenizer).ids.tolist() == expected


def test_the_second_time_nothing_is_encoded(files: list[Path], cache: Path) -> None:
    told: list[int] = []
    encode_files(files, tokenizer_of(), progress=lambda done, total: told.append(done))
    assert told
    told.clear()
    encode_files(files, tokenizer_of(), progress=lambda done, total: told.append(done))
    assert not told


def test_another_text_tokenizer_or_encoding_has_another_file(
    files: list[Path], cache: Path
) -> None:
    encode_files(files, tokenizer_of())
    encode_files(files[:1], tokenizer_of())
    encode_files(files, tokenizer_of("word"))
    encode_files(files[1:], tokenizer_of())
    encode_files(files[1:], tokenizer_of(), "latin-1")
    assert len(list(cache.iterdir())) == 5


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[:40],
        lambda data: data[:-1],
        lambda data: data[:64],
        lambda data: data.replace(b"recurra", b"another"),
        lambda data: data[:-1] + b"\xff",  # an id outside the vocabulary
    ],
)
def test_a_damaged_file_of_the_cache_is_made_anew(
    files: list[Path], cache: Path, damage: object
) -> None:
    assert callable(damage)
    expected = encode_files(files, tokenizer_of()).ids.tolist()
    (path,) = cache.iterdir()
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    assert encode_files(files, tokenizer_of()).ids.tolist() == expected
    assert path.read_bytes() == whole


def test_a_failed_encoding_leaves_nothing_in_the_cache(files: list[Path], cache: Path) -> None:
    with pytest.raises(DataError, match="no symbol for"):
        encode_files(files, fit("char", ["only these"]))
    assert list(cache.iterdir()) == []


def test_without_a_writable_cache_a_temporary_file_serves_and_a_note_says_so(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(token_file, "IN_MEMORY_BYTES", 0)
    monkeypatch.setenv("RECURRA_CACHE", str(tmp_path / "file" / "cache"))
    tokenizer = tokenizer_of()
    tokens = encode_files(files, tokenizer)
    assert tokenizer.decode(tokens.ids) == TEXT + "two one"
    assert tokens.notes[0].startswith("the tokens are not kept for the next run: ")
    assert tokens.notes[0].endswith("Not a directory.")


def test_no_room_anywhere_is_an_error_in_one_line(
    files: list[Path], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(token_file, "_write", full)
    with pytest.raises(DataError, match=r"No space left on device.*RECURRA_CACHE"):
        encode_files(files, tokenizer_of())
    assert list(cache.iterdir()) == []


def test_the_cache_is_where_the_variables_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECURRA_CACHE", "/chosen")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache_folder() == Path("/chosen")
    monkeypatch.delenv("RECURRA_CACHE")
    assert cache_folder() == Path("/xdg/recurra")
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == Path.home() / ".cache" / "recurra"


@pytest.mark.parametrize(
    ("symbols", "dtype"), [(256, "u1"), (257, "u2"), (65536, "u2"), (65537, "u4")]
)
def test_an_id_takes_as_few_bytes_as_the_vocabulary_allows(symbols: int, dtype: str) -> None:
    words = " ".join(str(number) for number in range(symbols - 2))
    tokenizer = fit("word", [words])
    tokens = encode_text(words, tokenizer, Source("", "numbers", 0, ""))
    assert tokenizer.vocab_size == symbols
    assert tokens.ids.dtype == np.dtype(dtype)
    assert tokens.ids.max() == symbols - 1


def test_each_token_is_counted(files: list[Path]) -> None:
    tokenizer = fit("word", ["one two\n"])
    tokens = encode_files(files[:1], tokenizer)
    assert len(tokens.ids) == tokens.counts.sum() == 50 * 6
    assert tokens.counts[tokenizer.unknown_id] == 100  # three and é
    assert tokens.counts[tokenizer.newline_id] == 100


def test_one_symbol_repeated_is_encoded_with_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("a" * 500)
    tokens = encode_files([path], fit("char", ["a"]))
    assert len(tokens.ids) == 500
    assert tokens.notes == ("a.txt: one symbol repeated, 'a': nothing else can be learned.",)


def test_a_file_without_a_token_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "blank.txt"
    path.write_text("  \t ")
    with pytest.raises(DataError, match=r"blank\.txt: there is not one word token in it"):
        encode_files([path], fit("word", ["a"]))


def test_byte_tokens_are_the_files_bytes_whatever_they_are(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(b"\xef\xbb\xbf" + bytes(range(256)) * 20)
    tokens = encode_files([path], fit("byte", []))
    assert tokens.ids.tobytes() == path.read_bytes()


@pytest.mark.skipif("RECURRA_DATA" not in os.environ, reason="RECURRA_DATA is not set")
def test_tinyshakespeare_has_its_65_symbols() -> None:
    files = expand([os.path.join(os.environ["RECURRA_DATA"], "tinyshakespeare")])
    tokenizer = fit("char", [files[0].read_text()])
    assert tokenizer.vocab_size == 65
    assert len(encode_files(files, tokenizer).ids) == 1_115_394


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["char", "word"])
def test_a_large_text_takes_little_memory(tmp_path: Path, kind: str) -> None:
    """100 MB of text grow the process by less than 80 MB, windows of a whole pass included.

    Measured: 41 MB (char), 53 MB (word), the same for 1 GB; held whole, the tokens alone are
    100 MB and the text 100 MB more.
    """
    line = "It was the best of times, it was the worst of times, thing number %d of many.\n"
    with (tmp_path / "large.txt").open("w") as file:
        for part in range(0, 1_250_000, 50_000):
            file.write("".join(line % (number % 5000) for number in range(part, part + 50_000)))
    script = f"""
        import resource
        from recurra.data import splits, streams, token_file
        from recurra.rng import Streams
        from recurra.text import files, reading, tokenizers

        def peak_mb():
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

        before = peak_mb()
        paths = files.expand(["large.txt"])
        tokenizer = tokenizers.fit("{kind}", reading.chunks(paths))
        tokens = token_file.encode_files(paths, tokenizer)
        assert len(tokens.ids) > 19_000_000
        train = splits.by_fractions(tokens.ids).train
        walk = streams.TokenStreams(train, 64, 256, Streams(0).order)
        for _ in range(walk.steps_per_epoch):
            walk.next()
        print(peak_mb() - before)
    """
    grown = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script)],
        cwd=tmp_path,
        env={**os.environ, "RECURRA_CACHE": str(tmp_path / "cache")},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert float(grown) < 80
