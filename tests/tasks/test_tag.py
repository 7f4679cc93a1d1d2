"""The tag task: from column files to a run that tags, resumes and is evaluated."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import recurra
from recurra import store
from recurra.cli import main
from recurra.data.holdout import LEARNED_FROM
from recurra.data.sentences import as_columns, sentences
from recurra.errors import DataError
from recurra.rng import Streams
from recurra.tasks import load
from recurra.tasks.tag.answer import Tagged
from recurra.tasks.tag.config import Data
from recurra.training.watch import Quiet
from tests.tasks.small import TAG as SMALL
from tests.tasks.small import VERBS, written
from tests.training.sessions import Stops


@pytest.mark.parametrize("crf", [False, True])
def test_the_built_in_sentences_are_learned_to_near_zero(tmp_path: Path, crf: bool) -> None:
    settings = {**SMALL, "dropout": 0.0, "letter_hidden": 12}
    run = recurra.train(
        "tag", out=tmp_path / "run", steps=250, crf=crf, **settings, watcher=Quiet()
    )
    figures = run.evaluate().figures
    # the turns of phrase are few, and what a name is shows in its letters: all can be right
    assert figures["accuracy"] > 0.99
    assert figures["span_f1"] > 0.97
    assert figures["accuracy_unknown_words"] > 0.95


def test_the_held_out_figures_of_training_are_those_that_evaluate_calls_by_their_names(
    tmp_path: Path,
) -> None:
    run = recurra.train("tag", out=tmp_path / "run", steps=20, **SMALL, watcher=Quiet())
    assert run.outcome is not None
    exact = run.evaluate(split="valid").figures
    assert set(run.outcome.figures) == {"accuracy", "span_f1"}
    assert {name: exact[name] for name in run.outcome.figures} == run.outcome.figures


def test_parts_of_speech_are_learned_by_heart(tmp_path: Path) -> None:
    data = written(tmp_path / "verbs.conll", VERBS * 8)
    run = recurra.train(
        "tag", data, out=tmp_path / "run", steps=60, train_fraction=1.0, valid_fraction=0.0,
        **SMALL, watcher=Quiet(),
    )  # fmt: skip
    (answer,) = run.predict(["the cat sleeps"])
    assert answer == Tagged(("the", "cat", "sleeps"), ("DET", "NOUN", "VERB"), None)
    assert str(answer) == "the/DET cat/NOUN sleeps/VERB"
    assert run.evaluate(split="train").figures["accuracy"] == 1.0


@pytest.mark.parametrize("step", [3, 7, 15])
def test_interrupted_and_resumed_is_uninterrupted_bit_for_bit(tmp_path: Path, step: int) -> None:
    whole = recurra.train("tag", out=tmp_path / "whole", steps=20, **SMALL, watcher=Quiet())
    part = recurra.train("tag", out=tmp_path / "part", steps=20, **SMALL, watcher=Stops(step))
    assert part.outcome is not None
    assert part.outcome.reason == "interrupted"
    recurra.resume(tmp_path / "part", watcher=Quiet())
    for name in (store.MODEL, "inventory.json"):
        assert (tmp_path / "part" / name).read_bytes() == (whole.folder / name).read_bytes()


def test_the_command_line_trains_tags_and_evaluates(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = written(tmp_path / "people.conll", as_columns(sentences()[0][:200]))
    run = str(tmp_path / "run")
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in SMALL.items()]
    assert main(["train", "tag", str(data), "--out", run, "--steps", "60", *flags]) == 0
    assert "recurra predict" in capsys.readouterr().out
    assert main(["predict", run, "Ralina flew from Taburg to Soford .", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["words"][0] == "Ralina"
    assert len(answer["tags"]) == 7
    for span in answer["spans"]:
        assert span["text"] == " ".join(answer["words"][span["start"] : span["end"]])
    assert main(["evaluate", run, str(data)]) == 0
    assert "span_f1_PERSON" in capsys.readouterr().out


@pytest.fixture
def verbs(tmp_path: Path) -> recurra.Run:
    """A run that knows VERBS by heart, trained on a file whose words are its second column."""
    rows = [line.split() for line in (VERBS * 8).split("\n")]
    text = "\n".join("\t".join(["x", *row]) if row else "" for row in rows)
    return recurra.train(
        "tag", written(tmp_path / "verbs.col", text), out=tmp_path / "run", steps=60,
        word_column="2", train_fraction=1.0, valid_fraction=0.0, **SMALL, watcher=Quiet(),
    )  # fmt: skip


@pytest.mark.parametrize("name", ["new.conll", "new.CONLLU", "new.col"])
def test_predict_reads_a_file_in_columns_by_its_ending(
    verbs: recurra.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    # a column of tags is not needed; the words stand where those of the run's own data do
    asked = written(tmp_path / name, "y\tthe\ny\tdog\ny\tsleeps\n\ny\tdogs\ny\tsleep\n")
    assert main(["predict", str(verbs.folder), "--file", str(asked)]) == 0
    assert capsys.readouterr().out == "the/DET dog/NOUN sleeps/VERB\ndogs/NOUN sleep/VERB\n"


def test_predict_reads_any_other_file_as_a_sentence_a_line(
    verbs: recurra.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = written(tmp_path / "new.txt", "the dog sleeps\n\ndogs sleep\n")
    assert main(["predict", str(verbs.folder), "--file", str(asked)]) == 0
    out, err = capsys.readouterr()
    assert out == "the/DET dog/NOUN sleeps/VERB\ndogs/NOUN sleep/VERB\n"
    assert err == "note: left out: 1 blank line.\n"


def test_a_file_that_is_given_as_a_sentence_is_refused(
    verbs: recurra.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = written(tmp_path / "new.conll", "y\tthe\n")
    assert main(["predict", str(verbs.folder), str(asked)]) == 2
    assert f"give --file {asked} to answer what is in it" in capsys.readouterr().err


def test_a_list_of_words_is_tagged_as_it_stands(verbs: recurra.Run) -> None:
    (answer,) = verbs.predict([["the", "New York", "sleeps"]])
    assert answer.words == ("the", "New York", "sleeps")
    assert len(answer.tags) == 3
    with pytest.raises(DataError, match="input 1 has an empty word in it"):
        verbs.predict([["a", ""]])
    with pytest.raises(DataError, match="input 2 is neither a text nor a list of words"):
        verbs.predict([["a"], 3])


def test_evaluate_counts_the_words_whose_tags_training_lacked(
    verbs: recurra.Run, tmp_path: Path
) -> None:
    # three words of six: two are Y, one is X
    other = written(tmp_path / "o.col", "1\tthe\tDET\n1\tcat\tX\n\n1\tdogs\tNOUN\n1\tsleep\tY\n"
                  "1\tthe\tY\n1\tcat\tNOUN\n")  # fmt: skip
    assert verbs.evaluate(other).notes == (
        "3 of 6 words have a tag that was never learned, and count as errors in the accuracy: Y 2, "
        "X 1.",
    )
    assert verbs.evaluate(split="train").notes == ()
    assert verbs.evaluate().notes == (LEARNED_FROM,)  # nothing of it is held out


def test_evaluate_on_a_file_counts_its_words_and_its_right_tags(tmp_path: Path) -> None:
    data = written(tmp_path / "verbs.conll", VERBS * 8)
    run = recurra.train(
        "tag", data, out=tmp_path / "run", steps=60, train_fraction=1.0, valid_fraction=0.0,
        **SMALL, watcher=Quiet(),
    )  # fmt: skip
    # two of four words are tagged as never learned: wrong by definition
    other = written(tmp_path / "other.conll", "the DET\ncat X\n\ndogs NOUN\nsleep Y\n")
    result = run.evaluate(other)
    assert result.tokens == 4
    assert result.figures["accuracy"] == 0.5


def test_all_sentences_are_those_of_the_three_parts(tmp_path: Path) -> None:
    data = written(tmp_path / "verbs.conll", VERBS * 8)
    run = recurra.train("tag", data, out=tmp_path / "run", steps=1, **SMALL, watcher=Quiet())
    parts = [run.evaluate(split=name) for name in ("train", "valid", "test")]
    result = run.evaluate(split="all")
    assert (result.split, result.unit) == ("all sentences", "word")
    assert result.tokens == sum(part.tokens for part in parts)
    right = sum(part.tokens * part.figures["accuracy"] for part in parts)
    # sums of whole numbers, divided in float64
    assert abs(result.figures["accuracy"] * result.tokens - right) < 1e-9


def test_the_embedding_of_a_letter_never_seen_is_zero_and_stays_so(tmp_path: Path) -> None:
    run = recurra.train("tag", out=tmp_path / "run", steps=5, **SMALL, watcher=Quiet())
    weights = store.read_tensors(run.folder / store.MODEL)
    assert not weights["letters.weight"][0].any()
    assert weights["letters.weight"][1:].all()
    assert weights["words.weight"][0].any()


def test_from_a_run_keeps_its_symbols_and_adds_rows_for_new_ones(tmp_path: Path) -> None:
    first = recurra.train(
        "tag", written(tmp_path / "a.conll", VERBS * 3), out=tmp_path / "a", steps=5, **SMALL,
        min_count=1, crf=True, train_fraction=1.0, valid_fraction=0.0, watcher=Quiet(),
    )  # fmt: skip
    more = written(tmp_path / "b.conll", "wow INTJ\nZebras NOUN\n")
    second = recurra.train(
        "tag", more, out=tmp_path / "b", start_from=first.folder, steps=1, learning_rate=1e-30,
        train_fraction=1.0, valid_fraction=0.0, min_count=1, watcher=Quiet(),
    )  # fmt: skip
    old, new = (store.read_tensors(run.folder / store.MODEL) for run in (first, second))
    assert len(new["words.weight"]) == len(old["words.weight"]) + 2
    assert new["field.transitions"].shape == (4, 4)
    for name, value in old.items():
        place = tuple(slice(size) for size in value.shape)
        # a step of 10⁻³⁰ moves no float32 weight
        np.testing.assert_array_equal(new[name][place], value)


def test_shares_do_not_move_with_the_seed(tmp_path: Path) -> None:
    corpus = written(tmp_path / "many.conll", "".join(f"w{i} X\nv{i} Y\n\n" for i in range(20)))
    prepared = [
        load("tag").prepare(
            load("tag").Config(data=Data(split_seed=split)), [str(corpus)], Streams(seed)
        )
        for seed, split in ((0, 0), (1, 0), (0, 1))
    ]
    held = [[sentence.words for sentence in one.valid[1]] for one in prepared]
    assert held[0] == held[1] != held[2]
