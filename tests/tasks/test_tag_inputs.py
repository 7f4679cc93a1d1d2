"""The tag task: what it reads, repairs and refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import recurra
from recurra.errors import ConfigError, DataError, RunError
from recurra.rng import Streams
from recurra.tasks import load
from recurra.tasks.tag.config import Data
from recurra.training.watch import Quiet
from tests.tasks.small import TAG as SMALL
from tests.tasks.small import VERBS, written
from tests.training.sessions import Diary


def test_tags_that_break_their_scheme_are_repaired_and_counted(tmp_path: Path) -> None:
    # 20 sentences by bio; in one of them a span begins with I, twice
    good, bad = "Ann B-P\nsleeps O\n\n" * 20, "Ann I-P\nand O\nBob I-P\n"
    watcher = Diary()
    run = recurra.train(
        "tag", written(tmp_path / "x.conll", good + bad), out=tmp_path / "run", steps=1,
        train_fraction=1.0, valid_fraction=0.0, **SMALL, watcher=watcher,
    )  # fmt: skip
    assert any(
        note.startswith("2 tags against the rules of the bio scheme") for note in watcher.notes
    )
    result = run.evaluate(written(tmp_path / "bad.conll", bad))
    assert result.notes == (
        "2 tags against the rules of the bio scheme: counted as the same spans by it.",
    )


def test_sentences_in_another_scheme_have_the_figures_of_the_same_spans(tmp_path: Path) -> None:
    by = {
        "bio": "Ann B-P\nLee I-P\nmet O\nBo B-P\nBob B-P\n\n",
        "iob1": "Ann I-P\nLee I-P\nmet O\nBo I-P\nBob B-P\n\n",
        "bioes": "Ann B-P\nLee E-P\nmet O\nBo S-P\nBob S-P\n\n",
    }
    run = recurra.train(
        "tag", written(tmp_path / "x.conll", by["bio"] * 10), out=tmp_path / "run", steps=3,
        train_fraction=1.0, valid_fraction=0.0, **SMALL, watcher=Quiet(),
    )  # fmt: skip
    found = [run.evaluate(written(tmp_path / f"{name}.conll", text)) for name, text in by.items()]
    assert found[1].figures == found[0].figures
    assert found[2].figures == found[0].figures
    assert found[0].notes == ()
    assert "3 tags against" in found[2].notes[0]


def test_a_tag_never_seen_in_training_is_told(tmp_path: Path) -> None:
    train = written(tmp_path / "train.conll", VERBS)
    valid = written(tmp_path / "valid.conll", "wow INTJ\n")
    watcher = Diary()
    recurra.train(
        "tag", train, out=tmp_path / "run", steps=1, valid_file=str(valid), **SMALL, watcher=watcher
    )
    assert any("never in the training part, so always wrong: INTJ" in one for one in watcher.notes)


def test_a_held_out_tag_of_no_span_is_told_and_counts_as_wrong(tmp_path: Path) -> None:
    train = written(tmp_path / "train.conll", "Ann B-P\nsleeps O\n\n" * 20)
    other = written(tmp_path / "other.conll", "a MISC\nb MISC\nc O\n")
    watcher = Diary()
    run = recurra.train(
        "tag", train, out=tmp_path / "run", steps=1, valid_file=str(other), **SMALL, watcher=watcher
    )
    assert any("never in the training part, so always wrong: MISC" in one for one in watcher.notes)
    result = run.evaluate(other)
    assert result.figures["accuracy"] <= 1 / 3  # of three words only c can be right
    assert result.notes == (
        "2 of 3 words have a tag that was never learned, and count as errors in the accuracy: "
        "MISC 2.",
    )
    result = run.evaluate(written(tmp_path / "one.conll", "a MISC\nc O\n"))
    assert result.notes == (
        "1 of 2 words has a tag that was never learned, and counts as an error in the accuracy: "
        "MISC 1.",
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty: there is nothing in it"),
        ("a b\nc\n", r"line 2: no word and tag"),
        ("\n\n", "has no tagged word"),
        ("\x00\x01\x02", "is binary"),
    ],
)
def test_bad_files_are_told_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        recurra.train("tag", written(tmp_path / "x.conll", text), out=tmp_path / "run")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("held_out", "sentences"),
    [
        ((), (80, 10, 10)),
        (("test_file",), (90, 10, 3)),
        (("valid_file",), (100, 3, 0)),
        (("valid_file", "test_file"), (100, 3, 3)),
    ],
)
def test_files_that_are_held_out_take_the_place_of_shares(
    tmp_path: Path, held_out: tuple[str, ...], sentences: tuple[int, ...]
) -> None:
    main = written(tmp_path / "main.conll", "".join(f"w{row} X\n\n" for row in range(100)))
    other = written(tmp_path / "other.conll", "a X\n\nb X\n\nc X\n")
    task = load("tag")
    config = recurra.config.updated(task.Config(), dict.fromkeys(held_out, str(other)))
    prepared = task.prepare(config, [str(main)], Streams(0))
    found = tuple(prepared.facts[f"{part}_sentences"] for part in ("train", "valid", "test"))
    assert found == sentences
    assert prepared.notes == ()


def test_a_test_file_alone_is_what_is_evaluated_on(tmp_path: Path) -> None:
    test = written(tmp_path / "test.conll", "the DET\ndog NOUN\n")
    run = recurra.train(
        "tag", written(tmp_path / "x.conll", VERBS + "\n" + VERBS), out=tmp_path / "run", steps=1,
        test_file=str(test), **SMALL,
    )  # fmt: skip
    result = run.evaluate()
    assert (result.split, result.tokens) == ("the test part", 2)


def test_a_sentence_without_a_word_is_refused(tmp_path: Path) -> None:
    run = recurra.train("tag", out=tmp_path / "run", steps=1, **SMALL, watcher=Quiet())
    with pytest.raises(DataError, match="input 2 has no word in it"):
        run.predict(["a b", "  "])


def test_a_very_long_sentence_and_a_very_long_word_are_tagged(tmp_path: Path) -> None:
    run = recurra.train("tag", out=tmp_path / "run", steps=1, **SMALL, watcher=Quiet())
    long, letters = run.predict(["a " * 20_000, "a" * 100_000])
    assert len(long.tags) == 20_000
    assert len(letters.tags) == 1


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (b"{", "is not JSON"),
        (b'{"scheme": null}', "must hold scheme, words, letters and tags"),
        (b'{"scheme": "x", "words": [""], "letters": [""], "tags": ["O"]}', "no scheme of tags"),
        (b'{"scheme": null, "words": ["a"], "letters": [""], "tags": ["O"]}', "do not begin"),
        (b'{"scheme": null, "words": [""], "letters": [""], "tags": ["O", "O"]}', "there twice"),
        (b'{"scheme": null, "words": [""], "letters": [""], "tags": [1]}', "a list of texts"),
        (b'{"scheme": null, "words": [""], "letters": [""], "tags": ["O"]}', "does not fit"),
    ],
)
def test_a_damaged_inventory_is_told_in_one_line(
    tmp_path: Path, damage: bytes, message: str
) -> None:
    run = recurra.train("tag", out=tmp_path / "run", steps=1, **SMALL, watcher=Quiet())
    (run.folder / "inventory.json").write_bytes(damage)
    with pytest.raises(RunError, match=message) as caught:
        run.predict(["a"])
    assert "\n" not in str(caught.value)


def test_columns_that_are_not_there_are_refused(tmp_path: Path) -> None:
    data = written(tmp_path / "x.conll", VERBS)
    with pytest.raises(ConfigError, match="column 'upos': give its number"):
        recurra.train("tag", data, out=tmp_path / "run", tag_column="upos")
    with pytest.raises(DataError, match="column 7: it has 2 columns"):
        recurra.train("tag", data, out=tmp_path / "run", tag_column="7")


def test_a_tag_that_is_of_no_span_among_those_of_spans_is_told(tmp_path: Path) -> None:
    corpus = written(tmp_path / "stray.conll", "Bonn B-LOC\nand O\nRome LOC\n\n" * 2)
    watcher = Diary()
    recurra.train(
        "tag", corpus, steps=1, out=tmp_path / "run", watcher=watcher, valid_fraction=0.0, **SMALL
    )
    message = "no spans are read and no span F1 counted: these are no tags of spans: LOC."
    assert message in watcher.notes


def test_of_a_very_long_sentence_the_first_words_are_shown_while_training(tmp_path: Path) -> None:
    sentence = "word TAG\n" * 100 + "\n"
    corpus = written(tmp_path / "long.conll", sentence * 2)
    task = load("tag")
    prepared = task.prepare(
        task.Config(data=Data(train_fraction=0.5, valid_fraction=0.5)), [str(corpus)], Streams(0)
    )
    model = task.build(prepared.config, prepared.assets, Streams(0).init).eval()
    shown = task.illustrate(model, prepared, np.random.default_rng(0))
    assert shown is not None
    assert shown.split(" ")[-2:] == ["word/TAG", "…"]
    assert len(shown.split(" ")) == 41
