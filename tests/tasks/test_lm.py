"""The language model task: from a text to a run that scores, samples and evaluates."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import recurra
from recurra import store
from recurra.config import from_json, updated
from recurra.errors import ConfigError, DataError, RunError
from recurra.naming import default_folder
from recurra.results import Sample
from recurra.rng import Streams
from recurra.runtime import LanguageModel, sampling
from recurra.tasks import load
from tests.tasks.verse import SMALL, VERSE


def test_hello_is_learned_and_argmax_from_h_prints_ello(tmp_path: Path) -> None:
    text = tmp_path / "hello.txt"
    text.write_text("hello")
    run = recurra.train(
        "lm", text, out=tmp_path / "run", steps=150, **{**SMALL, "learning_rate": 0.05}
    )
    # four predictions from one-hot states: an RNN can make all of them certain
    assert run.score("ello", context="h").nats_per_token < 0.05
    drawn = run.sample("h", length=4, temperature=0)
    assert str(drawn) == "hello"


def test_a_small_text_is_learned_to_near_zero(verse: Path, tmp_path: Path) -> None:
    run = recurra.train("lm", verse, out=tmp_path / "run", steps=300, **SMALL)
    # the text repeats a verse of 4 lines: after its context all is certain but which line is next
    assert run.evaluate(split="train").figures["nats_per_token_stateful"] < 0.1


def test_a_run_that_is_asked_to_evaluate_keeps_the_exact_figures(
    verse: Path, tmp_path: Path
) -> None:
    run = recurra.train("lm", verse, out=tmp_path / "run", steps=20, evaluate=True, **SMALL)
    exact = run.evaluate()
    assert run.outcome is not None
    assert run.outcome.evaluation == exact
    records = store.read_metrics(run.folder)
    assert records[-1]["figures"] == dict(exact.figures)
    card = (run.folder / "README.md").read_text()
    assert f"nats_per_token_stateful: {exact.figures['nats_per_token_stateful']:.4f}" in card


def test_a_trained_model_prefers_the_order_it_has_read(verse: Path, tmp_path: Path) -> None:
    run = recurra.train("lm", verse, out=tmp_path / "run", steps=150, **SMALL)
    assert run.score("the cat is small").total_nats < run.score("small the is cat").total_nats


def test_evaluate_is_the_sum_of_score_over_the_whole_split(verse: Path, tmp_path: Path) -> None:
    run = recurra.train("lm", verse, out=tmp_path / "run", steps=20, **SMALL)
    whole = run.evaluate(split="all")
    scored = run.score(VERSE * 40)
    assert whole.tokens == len(scored.nats) == len(VERSE * 40)
    # the same float32 network read in other stretches: its sums differ in their last bits
    assert math.isclose(
        whole.figures["nats_per_token_stateful"], scored.nats_per_token, rel_tol=1e-6
    )


def test_random_windows_are_told_with_the_size_of_the_part_they_are_drawn_from(
    verse: Path, tmp_path: Path
) -> None:
    run = recurra.train("lm", verse, out=tmp_path / "run", steps=2, **SMALL)
    test = len(VERSE * 40) - int(len(VERSE * 40) * 0.95)
    result = run.evaluate(windows=16, window_count=1200)
    assert str(result).partition("\n")[0] == (
        f"1,200 random windows of 16 tokens in the test part ({test} tokens): 19,200 tokens"
    )


def test_the_share_of_unknown_characters_stands_beside_the_perplexity(tmp_path: Path) -> None:
    # of a, b, c and d, which occur 40, 30, 20 and 10 times, two are kept beside the unknown one
    text = tmp_path / "abcd.txt"
    text.write_text("aaaabbbccd" * 10)
    run = recurra.train("lm", text, out=tmp_path / "run", steps=2, max_vocab=3, **SMALL)
    known = run.model.tokenizer.unseen("abcd")
    share = sum("aaaabbbccd".count(symbol) for symbol in known) / 10
    assert known == ["c", "d"]
    figures = run.evaluate(split="all").figures
    assert figures["share_unknown"] == pytest.approx(share)  # a mean of whole numbers
    assert "share_line_ends" not in figures
    plain = recurra.train("lm", text, out=tmp_path / "plain", steps=2, **SMALL)
    assert "share_unknown" not in plain.evaluate(split="all").figures


@pytest.mark.parametrize("windows", [0, 16], ids=["stateful", "windows"])
def test_evaluate_says_what_int8_weights_cost(verse: Path, tmp_path: Path, windows: int) -> None:
    run = recurra.train("lm", verse, out=tmp_path / "run", steps=60, **SMALL)
    asked = {"split": "all", "windows": windows} | ({"window_count": 40} if windows else {})
    plain, both = run.evaluate(**asked), run.evaluate(**asked, int8=True)
    protocol = "windows_16" if windows else "stateful"
    figures = dict(both.figures)
    rounded = figures.pop(f"nats_per_token_{protocol}_int8")
    lost = figures.pop(f"nats_lost_to_int8_{protocol}")
    assert figures == dict(plain.figures)
    assert lost == rounded - figures[f"nats_per_token_{protocol}"]
    if not windows:
        scored = run.score(VERSE * 40, int8=True)
        # the same rounded network read in other stretches: its sums differ in their last bits
        assert math.isclose(rounded, scored.nats_per_token, rel_tol=1e-6)


def test_a_run_draws_with_int8_weights_what_the_rounded_model_draws(
    verse: Path, tmp_path: Path
) -> None:
    run = recurra.train("lm", verse, out=tmp_path / "run", steps=60, **SMALL)
    model = LanguageModel.open(run.folder, int8=True)
    asked: dict[str, Any] = {"length": 40, "seed": 3}
    (expected,) = sampling.sample(model, "the", **asked)
    assert run.sample("the", **asked, int8=True) == expected
    assert "".join(run.stream("the", **asked, int8=True)) == expected.text
    exact = run.sample("the", **asked)
    assert isinstance(exact, Sample)
    assert exact.nats != expected.nats
    (beam, *_) = run.beam("the", length=10, int8=True)
    assert beam == sampling.beam(model, "the", length=10, width=4)[0]


def test_an_existing_run_is_never_overwritten(verse: Path, tmp_path: Path) -> None:
    recurra.train("lm", verse, out=tmp_path / "run", steps=2, **SMALL)
    before = (tmp_path / "run" / store.MODEL).read_bytes()
    with pytest.raises(RunError, match="exists"):
        recurra.train("lm", verse, out=tmp_path / "run", steps=2, **SMALL)
    assert (tmp_path / "run" / store.MODEL).read_bytes() == before


def test_a_text_too_short_to_hold_anything_out_says_so_and_trains(tmp_path: Path) -> None:
    text = tmp_path / "short.txt"
    text.write_text("to be or not to be")
    prepared = load("lm").prepare(load("lm").Config(), [str(text)], Streams(0))
    assert prepared.valid is None
    assert any("held out" in note for note in prepared.notes)
    assert prepared.config.data.seq_len < 64


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cell": "lsmt"}, "unknown cell 'lsmt'.*Did you mean 'lstm'"),
        ({"hiden_size": 3}, "unknown setting 'hiden_size'.*Did you mean 'hidden_size'"),
        ({"steps": 1, "minutes": 1}, "give one of steps, epochs and minutes"),
        ({"tied": True, "embedding_size": 3}, "needs an embedding of hidden_size"),
        ({"precision": "bfloat16"}, "CUDA"),
        ({"hidden_size": 10**12}, r"hidden_size = 1000000000000: must be 1 to 65536"),
        ({"hidden_size": 65536, "num_layers": 64}, "would have .* parameters and need .* GiB"),
        ({"test_file": "x.txt"}, "give valid_file too"),
    ],
)
def test_settings_that_cannot_be_are_refused_before_anything_is_written(
    verse: Path, tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        recurra.train("lm", verse, out=tmp_path / "run", **settings)
    assert not (tmp_path / "run").exists()


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    text = tmp_path / "empty.txt"
    text.write_text("")
    with pytest.raises(DataError, match="empty"):
        recurra.train("lm", text, out=tmp_path / "run", steps=1)


def test_an_lm_has_no_predict_and_says_what_to_use(verse: Path, tmp_path: Path) -> None:
    run = recurra.train("lm", verse, out=tmp_path / "run", steps=1, **SMALL)
    with pytest.raises(ConfigError, match="sample or score"):
        run.predict(["the"])


def test_the_torch_model_and_the_runtime_give_the_same_nats(verse: Path, tmp_path: Path) -> None:
    run = recurra.train("lm", verse, out=tmp_path / "run", steps=5, num_layers=2, **SMALL)
    task = load("lm")
    config = from_json(task.Config, run.record.config)
    model = task.build(config, task.read_assets(run.folder), np.random.default_rng(0))
    weights = store.read_tensors(run.folder / store.MODEL)
    model.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    model.eval()
    ids = run.model.tokenizer.encode("\nthe cat is small")
    with torch.no_grad():
        logits, _ = model(torch.from_numpy(ids.astype(np.int64))[:-1, None])
    log_probs = torch.log_softmax(logits.double(), -1)[:, 0]
    expected = -log_probs[torch.arange(len(ids) - 1), torch.from_numpy(ids[1:].astype(np.int64))]
    scored = run.score("the cat is small", context="\n")
    # float32 networks of 24 units over 16 steps
    np.testing.assert_allclose(scored.nats, expected.numpy(), atol=1e-5)


def test_training_needs_neither_cyclopts_nor_matplotlib(verse: Path, tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "for name in ('cyclopts', 'rich', 'matplotlib', 'tokenizers', 'tensorboard'):\n"
        "    sys.modules[name] = None\n"
        "import recurra\n"
        f"run = recurra.train('lm', {str(verse)!r}, out={str(tmp_path / 'run')!r}, steps=3,"
        " hidden_size=8, batch_size=2, seq_len=8)\n"
        "print(len(run.sample('the', length=5).text))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "5"


def test_the_words_known_are_those_of_the_training_part_and_no_others(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    # 2,000 words of 5 letters, then 2,000 of 1: by words the border is at 1,800 of 4,000
    text.write_text(" ".join([*(f"w{index:04}" for index in range(2000)), *"abcdefghij" * 200]))
    task = load("lm")
    asked = {"tokens": "word", "train_fraction": 0.45, "valid_fraction": 0.5}
    prepared = task.prepare(updated(task.Config(), asked), [str(text)], Streams(0))
    known = set(prepared.assets.vocabulary.symbols) - {"<unk>", "<eos>"}
    assert known == {f"w{index:04}" for index in range(1800)}
    assert prepared.facts["train_tokens"] == 1800


def test_all_words_are_known_where_nothing_is_held_out(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("one two three four five six seven eight nine ten")
    task = load("lm")
    config = updated(task.Config(), {"tokens": "word"})
    prepared = task.prepare(config, [str(text)], Streams(0))
    assert prepared.valid is None
    assert prepared.assets.unseen(text.read_text()) == []


def test_a_prompt_the_model_cannot_read_is_refused_before_training(
    verse: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"prompt = 'Ω': .*'Ω'"):
        recurra.train("lm", verse, out=tmp_path / "run", steps=1, prompt="Ω", **SMALL)
    assert not (tmp_path / "run").exists()


def test_a_budget_given_beside_a_recipe_replaces_the_recipe_s(verse: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(f'task = "lm"\n[[files]]\npath = "{verse}"\n[settings]\nepochs = 50\n')
    run = recurra.train(config=recipe, out=tmp_path / "run", steps=2, **SMALL)
    assert run.outcome is not None
    assert run.outcome.steps == 2
    assert run.record.config["training"]["epochs"] is None


def test_a_file_name_that_is_not_utf8_is_refused_in_words(tmp_path: Path) -> None:
    name = str(tmp_path / "bad\udcff.txt")
    with pytest.raises(DataError, match="its name is not UTF-8"):
        recurra.train("lm", name, out=tmp_path / "run", steps=1)


@pytest.mark.parametrize("seed", [-1, 2**63, "a", True, 1.5])
def test_a_seed_that_is_none_is_refused_before_anything_is_written(
    verse: Path, tmp_path: Path, seed: Any
) -> None:
    with pytest.raises(ConfigError, match=r"seed = .*: must be a whole number from 0"):
        recurra.train("lm", verse, out=tmp_path / "run", seed=seed, steps=1)
    assert not (tmp_path / "run").exists()


def test_an_empty_name_is_refused_and_not_taken_for_a_folder(verse: Path) -> None:
    with pytest.raises(DataError, match="the name of a file is empty"):
        recurra.train("lm", "", steps=1)
    with pytest.raises(ConfigError, match="out = '': must name a folder"):
        recurra.train("lm", verse, out="", steps=1)


@pytest.mark.parametrize(
    ("files", "folder"),
    [([], "lm-builtin"), (["-"], "lm-stdin"), (["a/input.txt"], "lm-input"), (["b/"], "lm-b")],
)
def test_a_run_s_folder_is_named_after_its_first_file(files: list[str], folder: str) -> None:
    assert default_folder("lm", files) == Path("runs") / folder


def test_settings_of_random_windows_are_refused_where_there_are_none(
    verse: Path, tmp_path: Path
) -> None:
    run = recurra.train("lm", verse, out=tmp_path / "run", steps=1, **SMALL)
    with pytest.raises(ConfigError, match="window_count = 5: is about random windows"):
        run.evaluate(window_count=5)
