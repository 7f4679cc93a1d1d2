"""Pretrained vectors of words from text and .npz."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recurra.data import word_vectors
from recurra.errors import DataError


@pytest.mark.parametrize("head", ["", "3 2\n"])
def test_a_text_file_has_a_word_and_its_numbers_a_line(tmp_path: Path, head: str) -> None:
    path = tmp_path / "v.txt"
    path.write_text(f"{head}the 1 -2.5\nNew York 3 4\nthe 9 9\nother 5 6\n")
    found = word_vectors.read(path, {"the", "New York", "absent"})
    assert {word: vector.tolist() for word, vector in found.items()} == {
        "the": [1, -2.5],
        "New York": [3, 4],
    }


def test_an_npz_has_words_and_vectors(tmp_path: Path) -> None:
    path = tmp_path / "v.npz"
    np.savez(path, words=np.array(["a", "b"]), vectors=np.array([[1.0, 2], [3, 4]]))
    found = word_vectors.read(path, ["b"])
    assert list(found) == ["b"]
    assert found["b"].tolist() == [3, 4]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("the 1 2\na 1\n", r"v\.txt, line 2: 1 number, and 2 in the line before"),
        ("the 1 2\na x 1\n", r"v\.txt, line 2: could not convert"),
        ("word\n", r"v\.txt, line 1: no number behind a word and a blank"),
        ("the\t1\t2\n", r"v\.txt, line 1: no number behind a word and a blank"),
        ("other 1 2\n", r"has a vector for none of the 2 words of the data"),
        ("the 1 2\na nan 2\n", r"v\.txt, line 2: the vector of 'a' has values that are not finite"),
        ("3 2\nthe 1 -inf\n", r"v\.txt, line 2: the vector of 'the' has values that are not fin"),
        ("the 1 1e39\n", r"v\.txt, line 1: the vector of 'the'"),  # float32 ends at 3.4e38
    ],
)
def test_a_text_file_that_cannot_be_read_names_the_line(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "v.txt"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        word_vectors.read(path, ["the", "a"])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"embeddings": np.zeros((2, 2))}, "must hold words and vectors. It has: embeddings"),
        ({"words": np.array(["a"]), "vectors": np.zeros((2, 2))}, r"words \(N,\) must be text"),
        ({"words": np.array(["a"]), "vectors": np.zeros((1, 2), int)}, "floating-point"),
        (
            {"words": np.array(["b", "a"]), "vectors": np.array([[1.0], [np.nan]])},
            r"v\.npz, word 2: the vector of 'a' has values that are not finite",
        ),
        ({"words": np.array(["a"]), "vectors": np.array([[1e39]])}, "word 1: the vector of 'a'"),
        (
            {"words": np.array(["a", 1], object), "vectors": np.zeros((2, 2))},
            r"holds Python objects, .* save plain arrays \(words, vectors\)",
        ),
    ],
)
def test_an_npz_of_another_form_says_what_it_has(
    tmp_path: Path, arrays: dict[str, Any], message: str
) -> None:
    np.savez(tmp_path / "v.npz", **arrays)
    with pytest.raises(DataError, match=message):
        word_vectors.read(tmp_path / "v.npz", ["a"])


def test_a_vector_that_no_word_of_the_data_needs_is_not_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "v.txt"
    path.write_text("other nan 2\nthe 1 2\n")
    assert list(word_vectors.read(path, ["the"])) == ["the"]
