"""The names task: from a list to a run that writes, scores, evaluates, resumes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import recurra
from recurra import store
from recurra.data import name_list
from recurra.data.name_list import NameData, NameList
from recurra.errors import ConfigError, DataError
from recurra.models.language_model import LanguageModel
from recurra.results import Samples
from recurra.rng import Streams
from recurra.runtime import NetworkSettings, resolve
from recurra.task import Loss
from recurra.tasks import load
from recurra.tasks.names.config import Config
from recurra.tasks.names.data import END, Batch, encode, fit_tokenizer
from tests.tasks.small import NAMES as SMALL
from tests.tasks.small import SOME_NAMES
from tests.training.sessions import Stops

ALL = {"train_fraction": 1.0, "valid_fraction": 0.0}
CLASSED = "name,label\n" + "".join(
    f"a{'nb'[i % 2] * (1 + i % 3)},{'xy'[i % 2]}\n" for i in range(40)
)


@pytest.fixture
def classed(tmp_path: Path) -> Path:
    """Names of class x have n's behind the a, those of class y have b's."""
    path = tmp_path / "classed.csv"
    path.write_text(CLASSED)
    return path


def listed(*names: str, labels: tuple[str, ...] = ()) -> NameList:
    return NameList(names, labels, ())


def test_a_name_is_read_after_start_and_predicted_up_to_its_stop_symbol() -> None:
    found = listed("ab", "a")
    tokenizer = fit_tokenizer(found, None)
    assert tokenizer.pieces(range(tokenizer.vocab_size)) == ["\n", "a", "b"]
    batch = encode(found, tokenizer).batch(np.array([0, 1]))
    assert batch.inputs.T.tolist() == [[0, 1, 2], [0, 1, 0]]
    assert batch.targets[:, 0].tolist() == [1, 2, 0]
    assert batch.targets[:2, 1].tolist() == [1, 0]
    assert batch.mask.T.tolist() == [[True, True, True], [True, True, False]]


def test_with_classes_each_begins_with_a_symbol_of_its_own() -> None:
    found = listed("ab", "a", labels=("Scottish", "Czech"))
    tokenizer = fit_tokenizer(found, None)
    assert dict(tokenizer.special) == {"<Czech>": 3, "<Scottish>": 4}
    batch = encode(found, tokenizer).batch(np.array([0, 1]))
    assert batch.inputs[0].tolist() == [4, 3]
    with pytest.raises(DataError, match=r"no class 'Irish'. Have: Czech, Scottish"):
        encode(listed("a", labels=("Irish",)), tokenizer)
    with pytest.raises(DataError, match="the names have no classes, and those trained on had"):
        encode(listed("a"), tokenizer)


def loss_of(model: LanguageModel, batch: Batch) -> tuple[Loss, list[torch.Tensor]]:
    """The task's loss, and its gradients whichever way they come."""
    loss = load("names").loss(model, batch, None, None)
    if loss.gradients is not None:
        return loss, [one.clone() for one in loss.gradients]
    return loss, list(torch.autograd.grad(loss.mean_nats, list(model.parameters())))


def test_a_padded_batch_is_each_name_alone() -> None:
    found = listed("a", "abcabcabc", "abc", "ca")
    symbols = encode(found, fit_tokenizer(found, None))
    settings = resolve(NetworkSettings(cell="gru", hidden_size=8, num_layers=2))
    model = LanguageModel(settings, 4, Streams(0).init).eval()
    rows = np.arange(4)
    together, gradients = loss_of(model, symbols.batch(rows))
    alone = [loss_of(model, symbols.batch(rows[i : i + 1])) for i in rows]
    assert together.tokens == sum(one.tokens for one, _ in alone) == 2 + 10 + 4 + 3
    total = sum(float(one.mean_nats.detach()) * one.tokens for one, _ in alone)
    # float32 products in batches of other sizes: some roundings of 6e-8 a step
    assert float(together.mean_nats.detach()) * 19 == pytest.approx(total, rel=1e-6)
    for index, ours in enumerate(gradients):
        expected = sum(parts[index] * one.tokens / 19 for one, parts in alone)
        torch.testing.assert_close(ours, expected, atol=1e-6, rtol=1e-5)


def test_eight_names_are_learned_to_near_certainty_and_written_whole(
    names: Path, tmp_path: Path
) -> None:
    settings = {**SMALL, **ALL, "batch_size": 16}
    run = recurra.train("names", names, out=tmp_path / "run", steps=150, **settings)
    nats = run.evaluate(split="train").figures["nats_per_name"]
    # eight names, equally often: to say which one it is takes ln 8 = 2.079 nats, and all else none
    assert nats < math.log(8) + 0.1
    drawn = run.sample(count=200, seed=1)
    assert isinstance(drawn, Samples)
    known = [str(one) in SOME_NAMES for one in drawn]
    # at most 0.1 nats too many leave 1 − e^−0.1 for other names: 181 of 200; less three deviations
    assert sum(known) > 181 - 3 * 4.1
    assert all("\n" not in str(one) for one in drawn)


def test_evaluate_is_the_sum_of_the_scores_of_each_name(names: Path, tmp_path: Path) -> None:
    run = recurra.train("names", names, out=tmp_path / "run", steps=20, **SMALL)
    whole = run.evaluate(split="all")
    scores = [run.score(name) for name in SOME_NAMES]
    assert whole.tokens == 5 * sum(len(name) + 1 for name in SOME_NAMES)
    total = 5 * sum(one.total_nats for one in scores)
    # the same float32 network read in other batches: its sums differ in their last bits
    assert whole.figures["nats_per_token_with_stop"] * whole.tokens == pytest.approx(
        total, rel=1e-6
    )
    assert whole.figures["nats_per_name"] * 40 == pytest.approx(total, rel=1e-6)
    again = run.evaluate(names)
    assert again.figures["nats_per_name"] == pytest.approx(whole.figures["nats_per_name"])


def test_held_out_names_that_are_trained_on_too_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_text("\n".join(["ann"] * 60 + [f"{a}{b}" for a in "abcdef" for b in "ghijkl"]))
    run = recurra.train("names", path, out=tmp_path / "run", steps=60, **SMALL)
    figures = run.evaluate().figures
    held = name_list.read(NameData(), [str(path)]).split(NameData())
    trained = sum(row < 60 for row in held.test.tolist()) / len(held.test)
    assert figures["share_of_names_trained_on"] == pytest.approx(trained)
    assert figures["nats_per_token_with_stop_new_names"] > figures["nats_per_token_with_stop"]
    assert "share_of_names_trained_on" not in run.evaluate(split="train").figures


@pytest.mark.parametrize(
    "settings", [{"cell": "lstm", "dropout": 0.2}, {"cell": "gru", "ema": 0.9}]
)
def test_interrupted_and_resumed_is_uninterrupted_bit_for_bit(
    names: Path, tmp_path: Path, settings: dict[str, Any]
) -> None:
    settings = {**SMALL, **settings}
    recurra.train("names", names, out=tmp_path / "whole", steps=30, **settings)
    recurra.train("names", names, out=tmp_path / "half", steps=30, watcher=Stops(13), **settings)
    recurra.resume(tmp_path / "half")
    whole = (tmp_path / "whole" / store.MODEL).read_bytes()
    assert (tmp_path / "half" / store.MODEL).read_bytes() == whole


def test_the_torch_model_s_validation_is_the_runtime_s_evaluation(
    names: Path, tmp_path: Path
) -> None:
    run = recurra.train("names", names, out=tmp_path / "run", steps=10, **SMALL)
    assert run.outcome is not None
    valid = run.outcome.figures["nats_per_token_with_stop"]
    exact = run.evaluate(split="valid").figures["nats_per_token_with_stop"]
    assert exact == pytest.approx(valid, rel=1e-5)  # float32 sums in another order


def test_a_class_says_what_kind_of_name_is_written(classed: Path, tmp_path: Path) -> None:
    settings = {**SMALL, "classes": True}
    run = recurra.train("names", classed, out=tmp_path / "run", steps=150, **settings)
    for label, letter in (("x", "n"), ("y", "b")):
        drawn = run.sample(count=50, label=label)
        assert isinstance(drawn, Samples)
        assert sum(set(str(one)) == {"a", letter} for one in drawn) > 45
    assert run.score("an", label="x").total_nats < run.score("an", label="y").total_nats
    assert run.score("an", label="x").context == "<x>"
    assert run.record.facts["classes"] == ["x", "y"]
    for refused in (None, "z"):
        with pytest.raises(ConfigError, match=r"give --label, one of x, y|unknown label 'z'"):
            run.sample(label=refused)
    assert run.evaluate(classed).tokens == sum(
        len(r.split(",")[0]) + 1 for r in CLASSED.split()[1:]
    )


def test_a_prefix_is_kept_and_the_name_goes_on_from_it(names: Path, tmp_path: Path) -> None:
    run = recurra.train("names", names, out=tmp_path / "run", steps=200, **SMALL)
    assert str(run.sample("car", temperature=0)) == "carol"
    assert str(run.sample("ca", length=1, temperature=0)) == "car"
    best = run.beam("ca", width=3)
    assert str(best[0]) == "carol"
    assert best[0].nats == pytest.approx(
        run.score("carol").total_nats - sum(run.score("carol").nats[:2]), abs=1e-4
    )


def test_from_a_run_keeps_its_symbols_and_adds_rows_for_new_ones(
    classed: Path, tmp_path: Path
) -> None:
    settings = {**SMALL, "classes": True}
    old = recurra.train("names", classed, out=tmp_path / "old", steps=5, **settings)
    more = tmp_path / "more.csv"
    more.write_text(CLASSED + "zed,w\nzoe,w\n")
    new = recurra.train(
        "names",
        more,
        out=tmp_path / "new",
        start_from=old.folder,
        steps=1,
        learning_rate=1e-9,
        classes=True,
    )
    before, after = old.model.tokenizer, new.model.tokenizer
    symbols = range(before.vocab_size)
    assert after.pieces(symbols) == before.pieces(symbols)
    added = after.pieces(range(before.vocab_size, after.vocab_size))
    assert added == ["d", "e", "o", "z", "<w>"]
    for name, weight in store.read_tensors(old.folder / store.MODEL).items():
        # one step of Adam at a rate of 1e-9 moves no weight by more than that
        found = store.read_tensors(new.folder / store.MODEL)[name]
        np.testing.assert_allclose(found[: len(weight)], weight, atol=1e-8)


@pytest.mark.parametrize(("shown", "lines"), [(4, 4), (0, None)])
def test_an_illustration_is_a_few_names_a_line_each(
    names: Path, shown: int, lines: int | None
) -> None:
    task, streams = load("names"), Streams(0)
    config = Config(data=NameData(shown=shown))
    prepared = task.prepare(config, [str(names)], streams)
    model = task.build(prepared.config, prepared.assets, streams.init)
    text = task.illustrate(model, prepared, np.random.default_rng(0))
    assert (text if text is None else len(text.split(END))) == lines


def test_an_illustration_of_classes_names_each(classed: Path) -> None:
    task, streams = load("names"), Streams(0)
    config = Config(data=NameData(shown=4, classes=True))
    prepared = task.prepare(config, [str(classed)], streams)
    model = task.build(prepared.config, prepared.assets, streams.init)
    text = task.illustrate(model, prepared, np.random.default_rng(0))
    assert text is not None
    assert [line[:3] for line in text.split("\n")] == ["x: ", "x: ", "y: ", "y: "]
