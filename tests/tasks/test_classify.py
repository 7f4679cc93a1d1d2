"""The classification task: from the user's files to a run that answers, resumes and evaluates."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import recurra
from recurra import store
from recurra.class_results import ClassReport
from recurra.data import invented
from recurra.errors import ConfigError, DataError
from recurra.rng import Streams
from recurra.tasks import load
from tests.tasks.small import CLASSIFY as SMALL
from tests.training.sessions import Stops


def test_the_built_in_words_are_learned_to_near_zero(tmp_path: Path) -> None:
    run = recurra.train(
        "classify", out=tmp_path / "run", steps=250, hidden_size=64, learning_rate=0.01, dropout=0.0
    )
    trained, held_out = run.evaluate(split="train"), run.evaluate()
    # which language a word is of is certain from its letters, and the rules hold for every word
    assert trained.figures["nats_per_example"] < 0.02
    assert held_out.figures["accuracy"] > 0.95
    assert held_out.split == "the test part"
    assert held_out.tokens == 120


@pytest.mark.parametrize("pooling", ["last", "mean", "max", "attention"])
def test_sequences_of_vectors_are_learned_with_every_pooling(
    waves: Path, tmp_path: Path, pooling: str
) -> None:
    settings = {**SMALL, "bidirectional": False, "pooling": pooling, "dropout": 0.0}
    run = recurra.train("classify", waves, out=tmp_path / "run", steps=80, **settings)
    assert run.evaluate(split="all").figures["accuracy"] == 1
    (answer,) = run.predict([np.array([[-1.0, 5], [0, 5], [1, 5]])], top_k=1)
    assert answer.label == "up"
    assert len(answer.ranked) == 1


@pytest.mark.parametrize(
    "settings",
    [
        {"cell": "gru", "dropout": 0.4, "num_layers": 2},
        {"tokens": "word", "pooling": "attention", "ema": 0.9},
        {"token_dropout": 0.2, "lowercase": True},
        {"bidirectional": False, "pooling": "last", "seq_len": 3, "class_weights": "balanced"},
    ],
)
def test_interrupted_and_resumed_is_uninterrupted_bit_for_bit(
    words: Path, tmp_path: Path, settings: dict[str, Any]
) -> None:
    settings = {**SMALL, **settings}
    recurra.train("classify", words, out=tmp_path / "whole", steps=25, **settings)
    recurra.train("classify", words, out=tmp_path / "half", steps=25, watcher=Stops(11), **settings)
    recurra.resume(tmp_path / "half")
    whole = (tmp_path / "whole" / store.MODEL).read_bytes()
    assert (tmp_path / "half" / store.MODEL).read_bytes() == whole


def test_answers_do_not_depend_on_what_is_asked_beside_them(words: Path, tmp_path: Path) -> None:
    run = recurra.train("classify", words, out=tmp_path / "run", steps=10, **SMALL)
    asked = ["vanara", "ka", "tavitavitavitavitavi", "x"]
    together = run.predict(asked)
    with pytest.raises(ConfigError, match=r"must be a list: predict\(\[\.\.\.\]\)"):
        run.predict("one text")
    for text, answer in zip(asked, together, strict=True):
        (alone,) = run.predict([text])
        assert [name for name, _ in alone.ranked] == [name for name, _ in answer.ranked]
        for (_, one), (_, other) in zip(alone.ranked, answer.ranked, strict=True):
            assert abs(one - other) < 1e-5  # float32 over 20 steps, other shapes of product


def test_probabilities_of_all_labels_add_up_to_one(words: Path, tmp_path: Path) -> None:
    run = recurra.train("classify", words, out=tmp_path / "run", steps=2, **SMALL)
    (answer,) = run.predict([load("classify").Input(text="makiro")], top_k=99)
    assert {name for name, _ in answer.ranked} == set(invented.LANGUAGES)
    assert abs(sum(share for _, share in answer.ranked) - 1) < 1e-9
    assert answer.given == "makiro"


def test_files_of_the_other_kind_are_told_as_that_and_not_by_their_labels(
    words: Path, waves: Path, tmp_path: Path
) -> None:
    texts = recurra.train("classify", words, out=tmp_path / "texts", steps=1, **SMALL)
    vectors = recurra.train("classify", waves, out=tmp_path / "vectors", steps=1, **SMALL)
    with pytest.raises(DataError, match=r"waves\.npz, example 1: this run reads text, and these a"):
        texts.evaluate(waves)
    message = r"words\.tsv, line 2: this run reads vectors of 2 numbers, and this is text"
    with pytest.raises(DataError, match=message):
        vectors.evaluate(words)


def test_a_run_on_a_file_a_class_is_evaluated_on_one_of_them(tmp_path: Path) -> None:
    for label in ("HUM", "LOC"):
        (tmp_path / f"{label}.txt").write_text("".join(f"{label} {row}\n" for row in range(20)))
    files = [tmp_path / "HUM.txt", tmp_path / "LOC.txt"]
    run = recurra.train("classify", *files, out=tmp_path / "run", steps=1, **SMALL)
    report = run.evaluate(tmp_path / "LOC.txt")
    assert isinstance(report, ClassReport)
    assert [sum(row) for row in report.confusion] == [0, 20]


def test_class_weights_make_every_class_count_alike(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,label\n" + "aaa,x\n" * 6 + "bbb,y\n" * 2)
    task = load("classify")
    config = recurra.config.updated(
        task.Config(), {"class_weights": "balanced", "train_fraction": 1, "valid_fraction": 0}
    )
    batch = task.prepare(config, [str(path)], Streams(0)).train.next()
    # N / (classes · examples of the class): 8 / (2 · 6) and 8 / (2 · 2)
    expected = np.where(batch.classes == 0, 8 / 12, 2.0)
    np.testing.assert_allclose(batch.weights, expected, rtol=1e-7)  # one float32 rounding
    model = task.build(
        config, task.prepare(config, [str(path)], Streams(0)).assets, np.random.default_rng(0)
    )
    loss = task.loss(model.eval(), batch, None, None)
    with torch.no_grad():
        logits = model(torch.from_numpy(batch.values), torch.from_numpy(batch.lengths))
    reference = torch.nn.functional.cross_entropy(
        logits, torch.from_numpy(batch.classes), weight=torch.tensor([8 / 12, 2.0])
    )
    assert abs(float(loss.mean_nats.detach()) - float(reference)) < 1e-6  # float32 means of 8
    assert loss.tokens == 8
    (rows,) = np.nonzero(batch.classes == 1)
    alone = type(batch)(batch.values[:, rows], *(part[rows] for part in batch[1:]))
    # of one class alone, each of its examples counts alike: the plain mean
    plain = torch.nn.functional.cross_entropy(logits[rows], torch.from_numpy(alone.classes))
    weighted = task.loss(model, alone, None, None).mean_nats.detach()
    assert abs(float(weighted) - float(plain)) < 1e-6


def test_from_a_run_keeps_its_labels_and_symbols_and_adds_rows(words: Path, tmp_path: Path) -> None:
    old = recurra.train("classify", words, out=tmp_path / "old", steps=3, **SMALL)
    more = tmp_path / "more.tsv"
    more.write_text(words.read_text() + "ÆÆÆ\tØØØ\n" + "Æ\tØØ\n" * 9)
    new = recurra.train(
        "classify", more, out=tmp_path / "new", start_from=old.folder, steps=1, learning_rate=1e-9
    )
    before, after = (store.read_tensors(run.folder / store.MODEL) for run in (old, new))
    assert len(after["projection.bias"]) == 6
    assert len(after["embedding.weight"]) == len(before["embedding.weight"]) + 1
    for name, weight in before.items():
        # one step of Adam at a rate of 1e-9 moves no weight by more than that
        np.testing.assert_allclose(after[name][: len(weight)], weight, atol=1e-8)
    with pytest.raises(ConfigError, match="pooling = 'mean', and 'max' in"):
        recurra.train(
            "classify", words, out=tmp_path / "no", start_from=old.folder, pooling="mean", steps=1
        )


@pytest.mark.slow
@pytest.mark.skipif("RECURRA_DATA" not in os.environ, reason="RECURRA_DATA is not set")
def test_by_rows_of_mnist_an_rnn_learns_but_errs_twice_as_often_as_an_lstm_of_its_units(
    tmp_path: Path,
) -> None:
    # The lectures say of the RNN that it hardly learns: one pass tells how far that is so.
    recipe = Path(__file__).parents[2] / "recipes" / "mnist.toml"
    wrong = {}
    settings: dict[str, Any] = {"epochs": 1, "test_file": None, "evaluate": False}
    settings |= {"train_fraction": 0.95, "valid_fraction": 0.05}
    for cell in ("rnn", "lstm"):
        run = recurra.train(config=recipe, out=tmp_path / cell, cell=cell, **settings)
        wrong[cell] = 1 - run.evaluate(split="valid").figures["accuracy"]
    # of 3,000 digits: errors of 10 % are known to within 0.5 %, of 3 % to 0.3 % (one deviation)
    assert wrong["rnn"] < 0.2  # guessing errs in 0.9
    assert wrong["rnn"] > 2 * wrong["lstm"]


def test_inputs_that_cannot_be_answered_are_named(words: Path, tmp_path: Path) -> None:
    run = recurra.train("classify", words, out=tmp_path / "run", steps=1, **SMALL)
    with pytest.raises(DataError, match="input 2 is empty: there is nothing to read"):
        run.predict(["a", " "])
    with pytest.raises(DataError, match="input 1: this run reads text, and these are vectors"):
        run.predict([np.zeros((2, 2))])
    with pytest.raises(DataError, match="input 1: this run reads text, and this is 5"):
        run.predict([5])
    for inputs in (None, "a text", {"text": "a"}, Path("a"), 5):
        with pytest.raises(ConfigError, match=r"^inputs = .*: must be a list: predict\(\[...\]\)"):
            run.predict(inputs)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="top_k = 0: must be 1 or more"):
        run.predict(["a"], top_k=0)
    assert run.predict([]) == []


def test_an_array_that_cannot_be_answered_is_told_why(waves: Path, tmp_path: Path) -> None:
    run = recurra.train("classify", waves, out=tmp_path / "run", steps=1, **SMALL)
    refused: dict[str, Any] = {
        "input 1 has no step": np.zeros((0, 2)),
        r"input 1: has values that are not finite in float32 \(NaN, inf": np.full((3, 2), np.nan),
        r"input 1: this run reads vectors: give an array \(T, 2\)": [[1.0, 2.0]],
    }
    for message, given in refused.items():
        with pytest.raises(DataError, match=message):
            run.predict([given])
    with pytest.raises(DataError, match=r"input 1: has values that are .* beyond 3.4e38"):
        run.predict([np.full((3, 2), 1e39)])  # float32 ends at 3.4e38
