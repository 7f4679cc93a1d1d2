"""The classification task: what it reads, what it keeps of that, and what it refuses."""

from __future__ import annotations

import gzip
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import recurra
from recurra.errors import ConfigError, DataError, RunError
from recurra.rng import Streams
from recurra.tasks import load
from tests.tasks.small import CLASSIFY as SMALL
from tests.training.sessions import Stops


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
    model = task.build(prepared.config, prepared.assets, np.random.default_rng(0))
    symbols = prepared.assets.tokenizer.vocabulary.symbols
    weight = model.state_dict()["embedding.weight"]
    assert weight[symbols.index("good")].tolist() == [1, 2, 3]
    assert weight[symbols.index("film")].tolist() == [4, 5, 6]
    assert prepared.config.model.embedding_size == 3
    assert any("2 of 5 words start at the vectors of" in note for note in prepared.notes)
    recurra.train("classify", texts, out=tmp_path / "run", watcher=Stops(2), **asked)
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


def test_a_sequence_of_100000_steps_is_read(words: Path, tmp_path: Path) -> None:
    run = recurra.train("classify", words, out=tmp_path / "run", steps=1, **SMALL)
    (answer,) = run.predict(["vanara " * 14_286])
    assert 0 < answer.probability <= 1
    assert answer.given == answer.json()["input"] == "vanara " * 14_286
    assert len(str(answer)) < 200
    assert "vanara vanara" in answer._repr_html_()
    assert len(answer._repr_html_()) < 1000


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


def test_settings_of_text_are_noted_where_the_data_are_vectors(waves: Path) -> None:
    task = load("classify")
    asked = recurra.config.updated(task.Config(), {"tokens": "word", "min_count": 1})
    notes = {
        name: task.prepare(config, [str(waves)], Streams(0)).notes
        for name, config in (("asked", asked), ("usual", task.Config()))
    }
    assert notes["usual"] == ()
    assert notes["asked"] == (
        "these are vectors: settings of text change nothing: tokens, min_count.",
    )


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
