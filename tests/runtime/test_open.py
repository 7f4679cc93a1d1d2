"""Run folders opened: without torch, and damaged ones refused in one line."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recurra import store
from recurra.config import to_json
from recurra.errors import RunError
from recurra.runtime import CONTEXT, TOKENIZER, LanguageModel, NetworkSettings
from recurra.runtime.sampling import sample
from recurra.runtime.scoring import score
from recurra.text.tokenizers import fit

SETTINGS = NetworkSettings(hidden_size=7, num_layers=2, embedding_size=0)
RECORD = store.RunRecord(
    kind="language_model",
    task="lm",
    seed=0,
    version="0",
    config={"model": to_json(SETTINGS)},
    facts={CONTEXT: "b"},
)


@pytest.fixture
def folder(tmp_path: Path, random_weights: Callable[..., Any]) -> Path:
    """A run of a model over a, b, c."""
    run = tmp_path / "run"
    store.create(run, RECORD, {TOKENIZER: fit("char", ["abc"]).to_json()})
    store.save_tensors(run / store.MODEL, random_weights(SETTINGS, 3), {})
    return run


def changed(folder: Path, **model: Any) -> None:
    """Writes other model settings into the run's record."""
    config = {"model": {**RECORD.config["model"], **model}}
    store.write_record(folder, dataclasses.replace(RECORD, config=config))


def test_a_folder_opens_to_its_weights_tokenizer_and_context(
    folder: Path, random_weights: Callable[..., Any]
) -> None:
    model = LanguageModel.open(folder)
    same = LanguageModel(SETTINGS, fit("char", ["abc"]), random_weights(SETTINGS, 3), "b")
    assert model.context == "b"
    assert score(model, "abcab") == score(same, "abcab")
    assert score(model, "abcab").context == "b"
    assert sample(model, length=50) == sample(same, length=50)


def test_a_folder_is_scored_and_sampled_from_where_there_is_no_torch(folder: Path) -> None:
    script = """
import sys
sys.modules["torch"] = None  # importing it now raises ImportError
from recurra.runtime import LanguageModel, report, sampling, scoring
model = LanguageModel.open(sys.argv[1])
print(scoring.score(model, "abcab").total_nats)
print(repr(sampling.sample(model, length=30)[0].text))
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    model = LanguageModel.open(folder)
    nats, text = done.stdout.splitlines()
    assert float(nats) == score(model, "abcab").total_nats
    assert text == repr(sample(model, length=30)[0].text)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"hidden_size": 10**12}, "hidden_size = 1000000000000: must be 1 to 65536"),
        ({"hidden_size": 65536}, "must have shape (262144, 3) but has (28, 3)"),
        ({"hidden_size": "7"}, "config.model.hidden_size = '7': must be int, not str"),
        ({"num_layers": 64}, "it lacks recurrent.l2.weight_ih"),
        ({"num_layers": 1}, "it also holds recurrent.l1.bias"),
        ({"cell": "../lstm"}, "unknown cell '../lstm'"),
        ({"cell": "gru"}, "does not fit its config"),
        ({"surprise": 1}, "unknown setting"),
    ],
)
def test_settings_that_do_not_fit_are_refused_before_anything_is_read(
    folder: Path, model: dict[str, Any], message: str
) -> None:
    changed(folder, **model)
    with pytest.raises(RunError) as caught:
        LanguageModel.open(folder)
    assert message in str(caught.value)
    assert str(folder) in str(caught.value)


def test_a_run_of_another_kind_is_refused(folder: Path) -> None:
    store.write_record(folder, dataclasses.replace(RECORD, kind="tagger", task="tag", facts={}))
    with pytest.raises(
        RunError, match=r"is a run of 'tag', .*: ask it with recurra predict .* or "
    ):
        LanguageModel.open(folder)


def test_a_context_that_the_model_cannot_read_is_refused(folder: Path) -> None:
    store.write_record(folder, dataclasses.replace(RECORD, facts={CONTEXT: "z"}))
    with pytest.raises(RunError, match=r"cannot be opened: .* no symbol for 'z'"):
        LanguageModel.open(folder)
    store.write_record(folder, dataclasses.replace(RECORD, facts={CONTEXT: ""}))
    with pytest.raises(RunError, match="cannot be opened: context = '': must hold a symbol"):
        LanguageModel.open(folder)


def test_a_missing_or_damaged_tokenizer_is_refused(folder: Path) -> None:
    (folder / TOKENIZER).write_bytes(b"{}")
    with pytest.raises(RunError, match=r"tokenizer\.json"):
        LanguageModel.open(folder)
    (folder / TOKENIZER).unlink()
    with pytest.raises(RunError, match=r"tokenizer\.json"):
        LanguageModel.open(folder)


def test_damaged_weights_are_refused(folder: Path) -> None:
    path = folder / store.MODEL
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(RunError, match=r"model\.safetensors is damaged"):
        LanguageModel.open(folder)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["projection.bias", "recurrent.l1.weight_hh"])
def test_weights_that_are_not_finite_are_refused(
    folder: Path, random_weights: Callable[..., Any], name: str, value: float
) -> None:
    weights = random_weights(SETTINGS, 3)
    weights[name].flat[1] = value
    store.save_tensors(folder / store.MODEL, weights, {})
    with pytest.raises(RunError) as caught:
        LanguageModel.open(folder)
    assert str(caught.value) == (
        f"{folder / store.MODEL} is damaged: {name} contains values that are not finite. Copy the "
        "run again, or train it anew."
    )


def test_weights_past_the_range_of_float32_are_not_finite_either(
    folder: Path, random_weights: Callable[..., Any]
) -> None:
    weights = {name: a.astype(np.float64) for name, a in random_weights(SETTINGS, 3).items()}
    weights["projection.bias"][0] = 1e300
    store.save_tensors(folder / store.MODEL, weights, {})
    with pytest.raises(RunError, match=r"projection\.bias contains values that are not finite"):
        LanguageModel.open(folder)


def test_weights_of_another_float_type_are_read_as_float32(
    folder: Path, random_weights: Callable[..., Any]
) -> None:
    weights = random_weights(SETTINGS, 3)
    halves = {name: array.astype(np.float16) for name, array in weights.items()}
    store.save_tensors(folder / store.MODEL, halves, {})
    # Weights below 0.5 are off by 2.5e-4 at most in float16, logits by some ten of these.
    assert score(LanguageModel.open(folder), "ab").total_nats == pytest.approx(
        score(LanguageModel(SETTINGS, fit("char", ["abc"]), weights, "b"), "ab").total_nats,
        abs=5e-3,
    )


@pytest.mark.parametrize("facts", [{}, {"context": ["a"]}])
def test_a_language_model_without_its_context_is_damaged(
    folder: Path, facts: dict[str, object]
) -> None:
    store.write_record(folder, dataclasses.replace(RECORD, facts=facts))
    with pytest.raises(RunError, match=r"config\.json is damaged: .* facts\.context, a text"):
        LanguageModel.open(folder)


def test_a_damaged_tokenizer_is_named_with_its_folder(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(RunError, match=rf"^{re.escape(str(folder))}: tokenizer\.json"):
        LanguageModel.open(folder)
