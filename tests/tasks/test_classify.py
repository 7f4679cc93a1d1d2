"""The classification task: from the user's files to a run that answers, resumes and evaluates."""

from __future__ import annotations

import gzip
import json
import os
import signal
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import recurra
from recurra import store
from recurra.class_results import ClassReport, class_report
from recurra.data import invented
from recurra.errors import ConfigError, DataError, RunError
from recurra.rng import Streams
from recurra.tasks import load
from recurra.tasks.classify import picture
from recurra.training.watch import Progress, Quiet

SMALL: dict[str, Any] = {
    "hidden_size": 12,
    "batch_size": 16,
    "validate_every": 10,
    "sample_every": 0,
    "learning_rate": 0.02,
}


@pytest.fixture
def words(tmp_path: Path) -> Path:
    """30 words of each invented language, with a header."""
    texts, labels, _ = invented.words()
    rows = [
        f"{labels[row]}\t{texts[row]}"
        for start in range(0, len(texts), invented.WORDS)
        for row in range(start, start + 30)
    ]
    path = tmp_path / "words.tsv"
    path.write_text("\n".join(["label\ttext", *rows]) + "\n")
    return path


@pytest.fixture
def waves(tmp_path: Path) -> Path:
    """Two kinds of sequence, of different lengths: rising and falling."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(3, 9, 80)
    kinds = np.arange(80) % 2
    steps = [
        np.stack([(1 - 2 * kind) * np.linspace(-1, 1, length), np.full(length, 5.0)], axis=1)
        for kind, length in zip(kinds, lengths, strict=True)
    ]
    path = tmp_path / "waves.npz"
    np.savez(path, x=np.concatenate(steps), lengths=lengths, y=np.array(["up", "down"])[kinds])
    return path


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
    recurra.train(
        "classify", words, out=tmp_path / "half", steps=25, watcher=StopAt(11), **settings
    )
    recurra.resume(tmp_path / "half")
    whole = (tmp_path / "whole" / store.MODEL).read_bytes()
    assert (tmp_path / "half" / store.MODEL).read_bytes() == whole


class StopAt(Quiet):
    """A watcher that interrupts as Ctrl-C does, after a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def stepped(self, progress: Progress) -> None:
        if progress.step == self.step:
            signal.raise_signal(signal.SIGINT)


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


def test_the_report_counts_what_predict_answers(words: Path, tmp_path: Path) -> None:
    run = recurra.train("classify", words, out=tmp_path / "run", steps=30, **SMALL)
    report = run.evaluate(str(words))
    assert isinstance(report, ClassReport)
    rows = [line.split("\t") for line in words.read_text().splitlines()[1:]]
    answers = [answer.label for answer in run.predict([text for _, text in rows])]
    for truth, row in zip(report.labels, report.confusion, strict=True):
        for label, count in zip(report.labels, row, strict=True):
            found = [
                answer == label
                for (real, _), answer in zip(rows, answers, strict=True)
                if real == truth
            ]
            assert sum(found) == count


def test_the_confusion_matrix_is_drawn_into_the_run_or_a_file(words: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the picture needs matplotlib")
    run = recurra.train("classify", words, out=tmp_path / "run", steps=1, evaluate=True, **SMALL)
    assert (run.folder / "confusion.png").read_bytes().startswith(b"\x89PNG")
    report = run.evaluate(picture=str(tmp_path / "here.png"))
    assert report.notes[-1] == f"the confusion matrix is drawn in {tmp_path / 'here.png'}"
    assert (tmp_path / "here.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(RunError, match=r"nowhere"):
        run.evaluate(picture=str(tmp_path / "nowhere" / "here.png"))
    assert "accuracy" in (run.folder / "README.md").read_text()
    assert "The test part, 12 examples" in (run.folder / "README.md").read_text()


def test_repeated_inputs_are_left_out_of_the_figures_where_asked(
    words: Path, tmp_path: Path
) -> None:
    header, first, *_ = words.read_text().splitlines()
    test = tmp_path / "test.tsv"
    test.write_text(f"{header}\n{first}\nOlem\tnever\nTavi\tnot this\n")
    settings = {**SMALL, "valid_fraction": 0.0, "train_fraction": 1.0, "test_file": str(test)}
    run = recurra.train("classify", words, out=tmp_path / "run", steps=1, **settings)
    assert run.evaluate().tokens == 3
    new = run.evaluate(repeated=False)
    assert (new.split, new.tokens) == ("the test part, without repeated inputs", 2)
    left_out = "left out: 1 of 3 examples, whose input stands in the training part."
    assert new.notes[0] == left_out
    assert run.evaluate(str(test), repeated=False).notes[0] == left_out
    with pytest.raises(DataError, match="every input in it stands in the training part"):
        run.evaluate(split="train", repeated=False)


@pytest.mark.parametrize(("lowercase", "left"), [(False, 2), (True, 1)])
def test_inputs_that_are_read_as_the_same_are_repeated_ones(
    words: Path, tmp_path: Path, lowercase: bool, left: int
) -> None:
    _, text = words.read_text().splitlines()[1].split("\t")
    test = tmp_path / "test.tsv"
    test.write_text(f"label\ttext\nTavi\t{text.upper()}\nOlem\tnever\n")
    settings = {**SMALL, "train_fraction": 1.0, "valid_fraction": 0.0, "test_file": str(test)}
    run = recurra.train(
        "classify", words, out=tmp_path / "run", steps=1, lowercase=lowercase, **settings
    )
    assert run.evaluate(repeated=False).tokens == left


def test_shares_are_those_of_each_class_and_do_not_move_with_the_seed(
    words: Path, tmp_path: Path
) -> None:
    task = load("classify")
    facts = [task.prepare(task.Config(), [str(words)], Streams(seed)).facts for seed in (0, 1)]
    assert facts[0]["train_examples"] == 96
    assert facts[0]["valid_examples"] == facts[0]["test_examples"] == 12
    runs = [
        recurra.train("classify", words, out=tmp_path / str(seed), seed=seed, steps=1, **SMALL)
        for seed in (0, 1)
    ]
    assert [sum(row) for row in runs[0].evaluate().confusion] == [3, 3, 3, 3]  # type: ignore[attr-defined]
    parts = [
        task.prepare(task.Config(), [str(words)], Streams(seed)).valid.examples.inputs
        for seed in (0, 1)
    ]
    assert parts[0] == parts[1]


def test_held_out_files_take_the_place_of_shares(words: Path, tmp_path: Path) -> None:
    test = tmp_path / "test.tsv"
    test.write_text("text\tlabel\nmakiro\tTavi\nolemir\tOlem\n")
    run = recurra.train(
        "classify", words, out=tmp_path / "run", steps=1, test_file=str(test), **SMALL
    )
    assert run.evaluate().tokens == 2
    facts = run.record.facts
    assert (facts["train_examples"], facts["valid_examples"]) == (108, 12)
    both = recurra.train(
        "classify",
        words,
        out=tmp_path / "both",
        steps=1,
        test_file=str(test),
        valid_file=str(test),
        **SMALL,
    )
    assert both.record.facts["train_examples"] == 120


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
    model = task.build(config, task.prepare(config, [str(path)], Streams(0)).assets, rng())
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


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_words_start_at_the_pretrained_vectors_and_resuming_needs_no_file_of_them(
    words: Path, tmp_path: Path
) -> None:
    texts = tmp_path / "t.csv"
    texts.write_text("text,label\n" + "good film,x\nbad film,y\n" * 10)
    vectors = tmp_path / "v.txt"
    vectors.write_text("good 1 2 3\nfilm 4 5 6\nother 7 8 9\n")
    task = load("classify")
    asked = {"tokens": "word", "vectors": str(vectors), "min_count": 1, **SMALL, "steps": 4}
    prepared = task.prepare(recurra.config.updated(task.Config(), asked), [str(texts)], Streams(0))
    model = task.build(prepared.config, prepared.assets, rng())
    symbols = prepared.assets.tokenizer.vocabulary.symbols
    weight = model.state_dict()["embedding.weight"]
    assert weight[symbols.index("good")].tolist() == [1, 2, 3]
    assert weight[symbols.index("film")].tolist() == [4, 5, 6]
    assert prepared.config.model.embedding_size == 3
    assert any("2 of 5 words start at the vectors of" in note for note in prepared.notes)
    recurra.train("classify", texts, out=tmp_path / "run", watcher=StopAt(2), **asked)
    vectors.unlink()
    assert recurra.resume(tmp_path / "run").outcome is not None
    vectors.write_text("good 1 2 3\n")
    with pytest.raises(ConfigError, match="the pretrained vectors have 3 numbers"):
        recurra.train("classify", texts, out=tmp_path / "two", embedding_size=5, **asked)


def test_new_characters_and_words_are_the_unknown_symbol(words: Path, tmp_path: Path) -> None:
    for tokens in ("char", "word"):
        run = recurra.train(
            "classify", words, out=tmp_path / tokens, steps=1, tokens=tokens, **SMALL
        )
        one, other = run.predict(["Ω", "Щ"])
        assert one.ranked == other.ranked


def test_lower_case_and_the_cut_are_kept_in_answers(words: Path, tmp_path: Path) -> None:
    settings = {**SMALL, "lowercase": True, "seq_len": 4}
    run = recurra.train("classify", words, out=tmp_path / "run", steps=3, **settings)
    one, upper, longer = run.predict(["kalm", "KALM", "kalmur"])
    assert one.ranked == upper.ranked == longer.ranked


@pytest.mark.parametrize(
    ("tokens", "texts", "kept"),
    [
        ("char", ("abX", "bcX", "aX"), ["a", "b", "c", "X"]),
        ("word", ("a b X", "b c X", "a X"), ["a", "b", "c", "X"]),
        ("word", ("a\tb X", "b  c X", "a b"), ["a", "b", "c"]),
    ],
)
def test_the_vocabulary_is_of_what_is_read_before_the_cut(
    tmp_path: Path, tokens: str, texts: tuple[str, ...], kept: list[str]
) -> None:
    path = tmp_path / "a.jsonl"
    lines = [json.dumps({"text": text, "label": f"{row}"}) for row, text in enumerate(texts)]
    path.write_text("\n".join(lines))
    whole = {"train_fraction": 1.0, "valid_fraction": 0.0, "min_count": 1}
    task = load("classify")
    config = recurra.config.updated(task.Config(), {"tokens": tokens, "seq_len": 2, **whole})
    vocabulary = task.prepare(config, [str(path)], Streams(0)).assets.tokenizer.vocabulary
    special = {"\ufffd", "<unk>", "<eos>"}
    assert set(vocabulary.symbols) - special == set(kept)


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


def test_mnist_s_files_are_read_row_by_row(tmp_path: Path) -> None:
    images = np.zeros((40, 6, 5), np.uint8)
    images[::2, 0] = 255  # bright at the top
    images[1::2, 5] = 255  # bright at the bottom
    for name, array in (("images-idx3", images), ("labels-idx1", np.arange(40) % 2)):
        head = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
        packed = gzip.compress(head + array.astype(np.uint8).tobytes())
        (tmp_path / f"t-{name}-ubyte.gz").write_bytes(packed)
    path = tmp_path / "t-images-idx3-ubyte.gz"
    settings = {**SMALL, "bidirectional": False, "pooling": "last"}
    run = recurra.train("classify", path, out=tmp_path / "run", steps=60, **settings)
    assert run.evaluate().figures["accuracy"] == 1
    assert len(run.record.files) == 2
    assert [answer.label for answer in run.predict([str(path)])][:4] == ["0", "1", "0", "1"]
    with pytest.raises(DataError, match="a step has 3 numbers, and 5 in the training part"):
        run.predict([np.zeros((2, 3))])


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


def test_a_sequence_of_100000_steps_is_read(words: Path, tmp_path: Path) -> None:
    run = recurra.train("classify", words, out=tmp_path / "run", steps=1, **SMALL)
    (answer,) = run.predict(["vanara " * 14_286])
    assert 0 < answer.probability <= 1
    assert len(answer.given) == 80


def test_a_class_with_one_example_is_learned_from_and_said(words: Path, tmp_path: Path) -> None:
    words.write_text(words.read_text() + "Rare\tqqq\n")
    task = load("classify")
    prepared = task.prepare(task.Config(), [str(words)], Streams(0))
    assert "the class 'Rare' has one example to learn from." in prepared.notes
    assert any("too few examples to hold one out" in note for note in prepared.notes)


def test_examples_with_nothing_to_read_are_left_out_and_counted(words: Path) -> None:
    words.write_text(words.read_text() + "Tavi\t \n")
    prepared = load("classify").prepare(load("classify").Config(), [str(words)], Streams(0))
    assert "left out: 1 example with nothing to read." in prepared.notes


@pytest.mark.parametrize(
    ("rows", "settings", "message"),
    [
        ("text,label\na,x\nb,x\n", {}, "all examples have the label 'x'"),
        ("text,label\na,x\nb,y\n", {"vectors": "none.txt", "tokens": "word"}, "cannot be read"),
        ("text,label\na,x\nb,y\n", {"label_column": "class"}, "no column 'class'"),
        ("text,label\na,x\nb,y\n", {"valid_file": "OTHER"}, r"the label 'z' does not occur in the"),
        ("text,label\na,x\nb,y\n", {"line": "{text}"}, r"lacks \{label\}"),
        ("text,label\na,x\nb,y\n", {"tokens": "byte"}, "tokens = 'byte': must be one of char"),
        ("text,label\na,x\nb,y\n", {"vectors": "v.txt"}, "give --tokens word, too"),
        ("text,label\na,x\nb,y\n", {"seq_len": 0}, "seq_len = 0: must be 1 or more"),
        ("text,label\na,x\nb,y\n", {"hidden_size": 65536, "num_layers": 64}, "GiB to train"),
        ("text,label\na,x\nb,y\n", {"cell": "lsmt"}, "unknown cell 'lsmt'"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    tmp_path: Path, rows: str, settings: dict[str, Any], message: str
) -> None:
    path, other = tmp_path / "a.csv", tmp_path / "other.csv"
    path.write_text(rows)
    other.write_text("text,label\nq,z\n")
    asked = {key: str(other) if value == "OTHER" else value for key, value in settings.items()}
    with pytest.raises((ConfigError, DataError), match=message):
        recurra.train("classify", path, out=tmp_path / "run", **{**SMALL, **asked})
    assert not (tmp_path / "run").exists()


def test_inputs_that_cannot_be_answered_are_named(words: Path, tmp_path: Path) -> None:
    run = recurra.train("classify", words, out=tmp_path / "run", steps=1, **SMALL)
    with pytest.raises(DataError, match="input 2: is empty: there is nothing to read"):
        run.predict(["a", " "])
    with pytest.raises(DataError, match="input 1: this run reads text, not ndarray"):
        run.predict([np.zeros((2, 2))])
    with pytest.raises(ConfigError, match="top_k = 0: must be 1 or more"):
        run.predict(["a"], top_k=0)
    assert run.predict([]) == []


def test_changed_data_are_neither_resumed_nor_evaluated_on(words: Path, tmp_path: Path) -> None:
    run = recurra.train("classify", words, out=tmp_path / "run", steps=2, **SMALL)
    words.write_text(words.read_text() + "Tavi\tmakiro\n")
    with pytest.raises(DataError, match=r"is not what .* was trained on"):
        recurra.resume(run.folder, steps=4)
    with pytest.raises(DataError, match=r"is not what .* was trained on"):
        run.evaluate()


@pytest.mark.parametrize(
    "damage",
    [
        b"{",
        b"[]",
        b'{"labels": ["one"]}',
        b'{"labels": ["a", "a"]}',
        b'{"labels": ["a", 1]}',
        b'{"labels": ["a", "b"], "shift": [0.0], "spread": [0.0]}',
        b'{"labels": ["a", "b"], "shift": ["x"], "spread": [1.0]}',
    ],
)
def test_damaged_labels_are_a_run_error(waves: Path, tmp_path: Path, damage: bytes) -> None:
    run = recurra.train("classify", waves, out=tmp_path / "run", steps=1, **SMALL)
    (run.folder / "labels.json").write_bytes(damage)
    with pytest.raises(RunError, match=r"labels\.json is damaged"):
        run.predict([np.zeros((2, 2))])


def test_labels_with_a_shift_of_vectors_beside_a_tokenizer_are_a_run_error(
    words: Path, tmp_path: Path
) -> None:
    run = recurra.train("classify", words, out=tmp_path / "run", steps=1, **SMALL)
    path = run.folder / "labels.json"
    values = {**json.loads(path.read_text()), "shift": [0.0], "spread": [1.0]}
    path.write_text(json.dumps(values))
    with pytest.raises(
        RunError, match=r"labels\.json is damaged: it has the shift of a run on vec"
    ):
        run.predict(["makiro"])


def test_sequences_of_two_widths_are_refused_by_their_places(tmp_path: Path) -> None:
    for width in (2, 3):
        x = np.arange(2.0 * width).reshape(2, 1, width)
        np.savez(tmp_path / f"{width}.npz", x=x, y=np.array([0, 1]))
    files = [str(tmp_path / f"{width}.npz") for width in (2, 3)]
    message = r"3\.npz, example 1: a step has 3 numbers, and 2 in .*2\.npz, example 1"
    with pytest.raises(DataError, match=message):
        recurra.train(
            "classify", *files, out=tmp_path / "run", train_fraction=1.0, valid_fraction=0.0
        )


def test_labels_that_are_numbers_are_in_their_order_and_the_scale_is_kept(
    tmp_path: Path,
) -> None:
    x = np.random.default_rng(0).normal(3, 2, (60, 4, 2))
    np.savez(tmp_path / "a.npz", x=x, y=np.arange(60) % 12)
    task = load("classify")
    whole = recurra.config.updated(task.Config(), {"train_fraction": 1, "valid_fraction": 0})
    values = task.prepare(whole, [str(tmp_path / "a.npz")], Streams(0)).train.next().values
    # float32 means of 60 sequences of 4 steps
    np.testing.assert_allclose(values.mean((0, 1)), [0, 0], atol=1e-6)
    np.testing.assert_allclose(values.std((0, 1)), [1, 1], atol=1e-6)
    run = recurra.train("classify", tmp_path / "a.npz", out=tmp_path / "run", steps=1, **SMALL)
    kept = json.loads((run.folder / "labels.json").read_text())
    assert kept["labels"] == [str(number) for number in range(12)]
    # 48 of the 60 sequences are trained on: within four standard errors of mean and deviation
    np.testing.assert_allclose(kept["shift"], [3, 3], atol=4 * 2 / np.sqrt(48 * 4))
    np.testing.assert_allclose(kept["spread"], [2, 2], atol=4 * 2 / np.sqrt(2 * 48 * 4))


def test_labels_of_any_number_of_digits_have_one_order(tmp_path: Path) -> None:
    path = tmp_path / "numbers.csv"
    long = "9" * 5000  # int() refuses so many digits
    path.write_text("text,label\n" + f"a,10\nb,9\nc,1\nd,01\ne,{long}\n" * 3)
    found = load("classify").prepare(load("classify").Config(), [str(path)], Streams(0))
    assert found.assets.labels == ("01", "1", "9", "10", long)


def test_a_thousand_classes_and_letters_without_a_glyph_are_drawn() -> None:
    pytest.importorskip("matplotlib")
    for labels in ([f"c{place}" for place in range(1000)], ["财经", "体育"]):
        places = np.arange(len(labels))
        report = class_report(labels, places, places, nats=0.5, split="the test part")
        png = picture.draw(report)
        width, height = struct.unpack(">II", png[16:24])
        assert max(width, height) < 4000  # 26 inches of 100 dots, and room
