"""From bytes to text: what is read, and what each refusal says."""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.errors import DataError
from recurra.text import reading
from recurra.text.files import BLOCK_BYTES, expand
from recurra.text.reading import chunks, read_text

TEXT = "Größe, 大きさ\r\nméret\n\r𝄞 end"


def a_file(folder: Path, data: bytes) -> Path:
    path = folder / "input.txt"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_utf8_and_marked_utf16_are_read_with_their_line_ends(tmp_path: Path, encoding: str) -> None:
    assert read_text(a_file(tmp_path, TEXT.encode(encoding))) == TEXT


def test_big_endian_utf16_with_its_mark_is_read(tmp_path: Path) -> None:
    assert read_text(a_file(tmp_path, b"\xfe\xff" + TEXT.encode("utf-16-be"))) == TEXT


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "gb18030", "utf-32", "utf-16-le"])
def test_a_named_encoding_is_used(tmp_path: Path, encoding: str) -> None:
    text = "naïve" if encoding in ("latin-1", "cp1252") else TEXT
    assert read_text(a_file(tmp_path, text.encode(encoding)), encoding) == text


def test_a_named_utf8_passes_over_the_mark(tmp_path: Path) -> None:
    assert read_text(a_file(tmp_path, b"\xef\xbb\xbfabc"), "UTF8") == "abc"


@pytest.mark.parametrize(
    ("raw", "advice"),
    [
        (None, "Give --encoding NAME (latin-1, cp1252, gb18030, …)."),
        (
            False,
            "Give --encoding NAME (latin-1, cp1252, gb18030, …), or learn it as bytes: "
            "--tokens byte.",
        ),
    ],
)
def test_other_bytes_are_refused_with_their_offset_and_bytes_advised_only_where_they_can_be_learned(
    tmp_path: Path, raw: bool | None, advice: str
) -> None:
    path = a_file(tmp_path, "abc naïve".encode("latin-1"))
    with pytest.raises(DataError) as caught:
        list(chunks([path], raw=raw))
    assert str(caught.value) == (
        f"{path} is not UTF-8: byte 0xef at offset 6 (invalid continuation byte). {advice}"
    )
    path = a_file(tmp_path, b"ab\0")
    with pytest.raises(DataError) as caught:
        list(chunks([path], raw=raw))
    as_bytes = "" if raw is None else " To learn it byte by byte: --tokens byte."
    assert str(caught.value) == (f"{path} is binary, not text: a NUL byte at offset 2.{as_bytes}")


@pytest.mark.parametrize("before", [0, 3, BLOCK_BYTES - 1, BLOCK_BYTES + 7])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_the_offset_counts_from_the_files_start(tmp_path: Path, mark: bytes, before: int) -> None:
    path = a_file(tmp_path, mark + b"a" * before + b"\xc3(" + b"b" * 10)
    with pytest.raises(DataError, match=f"byte 0xc3 at offset {len(mark) + before:,} "):
        read_text(path)


def test_a_symbol_cut_off_at_the_files_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"byte 0xe4 at offset 2 \(unexpected end of data\)"):
        read_text(a_file(tmp_path, b"ab\xe4\xb8"))


def test_damaged_utf16_is_refused_with_its_offset(tmp_path: Path) -> None:
    data = b"\xff\xfe" + "ab".encode("utf-16-le") + b"\x00\xdc" + "c".encode("utf-16-le")
    with pytest.raises(DataError, match="is not utf-16-le: byte 0x00 at offset 6"):
        read_text(a_file(tmp_path, data))


def test_utf32_is_not_taken_for_utf16(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"is UTF-32 by its byte order mark\. Give --encoding utf-32"
    ):
        read_text(a_file(tmp_path, "abc".encode("utf-32")))


@pytest.mark.parametrize(
    ("data", "offset"),
    [(b"text\0more", 4), ("é\0".encode(), 2), (b"\x89PNG\r\n\x1a\n\0\0", 8)],
)
def test_a_binary_file_is_called_binary(tmp_path: Path, data: bytes, offset: int) -> None:
    with pytest.raises(DataError, match=f"is binary, not text: a NUL byte at offset {offset}"):
        read_text(a_file(tmp_path, data))


@pytest.mark.parametrize("name", ["utf-9", "base64", "rot13", "undefined", "a\0"])
def test_what_is_no_text_encoding_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="is no text encoding that Python knows"):
        read_text(a_file(tmp_path, b"abc"), name)


@pytest.mark.parametrize("name", ["base64", "rot13"])
def test_a_codec_of_pythons_that_is_not_of_text_suggests_nothing(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"is no text encoding that Python knows\.$"):
        read_text(a_file(tmp_path, b"abc"), name)


def test_a_misspelt_encoding_gets_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'latn-1' is no text .* Did you mean 'latin1'\?"):
        read_text(a_file(tmp_path, b"abc"), "latn-1")


def test_a_file_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.txt cannot be read: No such file"):
        read_text(tmp_path / "gone.txt")


def test_raw_reading_keeps_every_byte(tmp_path: Path) -> None:
    data = b"\xef\xbb\xbf" + bytes(range(256)) * 3
    text = "".join(chunks([a_file(tmp_path, data)], raw=True))
    assert text.encode("utf-8", "surrogateescape") == data


def test_a_named_encoding_is_used_on_raw_reading_too(tmp_path: Path) -> None:
    path = a_file(tmp_path, "naïve".encode("latin-1"))
    assert "".join(chunks([path], "latin-1", raw=True)) == "naïve"


@settings(max_examples=100, deadline=None)
@given(text=st.text(st.sampled_from("ab é大𝄞\n\r\t"), min_size=1), block=st.integers(1, 7))
def test_the_chunks_are_the_text_however_small_the_blocks(text: str, block: int) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "BLOCK_BYTES", block)
        path = a_file(Path(folder), text.encode())
        parts = list(chunks([path]))
    assert "".join(parts) == text
    assert all(parts)


def test_a_chunk_ends_before_white_space_that_follows_something_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "BLOCK_BYTES", 4)
    path = a_file(tmp_path, b"to be  or\n\nnot")
    assert list(chunks([path])) == ["to", " be", "  or", "\n\nnot"]


def test_a_chunk_never_reaches_over_two_files(tmp_path: Path) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    first.write_text("one")
    second.write_text("two")
    assert list(chunks([first, second])) == ["one", "two"]


def test_progress_ends_at_the_size_of_all_files(tmp_path: Path) -> None:
    path = a_file(tmp_path, b"\xef\xbb\xbf" + b"abc def\n" * 400_000)
    seen: list[tuple[int, int]] = []
    for _ in chunks([path, path], progress=lambda done, total: seen.append((done, total))):
        pass
    size = 2 * path.stat().st_size
    assert seen[-1] == (size, size)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\xff\xfea\0b", "standard input is not utf-16-le: byte 0x62 at offset 4 (truncated"),
        (b"caf\xe9", "standard input is not UTF-8: byte 0xe9 at offset 3"),
        (b"a\0b", "standard input is binary, not text"),
    ],
)
def test_what_came_in_a_pipe_is_called_standard_input(
    monkeypatch: pytest.MonkeyPatch, data: bytes, message: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    with pytest.raises(DataError) as caught:
        read_text(expand(["-"])[0])
    assert str(caught.value).startswith(message)
