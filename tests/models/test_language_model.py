"""The torch model: its weights at the start, its equations, and what fits a machine."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch

from recurra import cells
from recurra.errors import ConfigError
from recurra.models import size
from recurra.models.language_model import LanguageModel, arrays
from recurra.runtime import NetworkSettings, expected_shapes, resolve

VOCAB = 50


def built(seed: int = 0, **settings: Any) -> LanguageModel:
    asked = resolve(NetworkSettings(**{"hidden_size": 64, **settings}))
    return LanguageModel(asked, VOCAB, np.random.default_rng(seed))


@pytest.mark.parametrize("cell", cells.names())
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"embedding_size": 0},
        {"embedding_size": 5, "num_layers": 2},
        {"tied": True},
        {"learned_state": True, "num_layers": 2},
    ],
)
def test_the_weights_are_named_and_shaped_as_the_runtime_expects(
    cell: str, settings: dict[str, Any]
) -> None:
    model = built(cell=cell, **settings)
    found = {name: value.shape for name, value in arrays(model).items()}
    assert found == expected_shapes(model.settings, VOCAB)


def test_the_same_seed_gives_the_same_weights_and_another_seed_others() -> None:
    one, same, other = (arrays(built(seed)) for seed in (1, 1, 2))
    assert all(np.array_equal(one[name], same[name]) for name in one)
    assert not np.array_equal(one["embedding.weight"], other["embedding.weight"])


def test_an_embedding_starts_with_a_standard_deviation_of_one() -> None:
    weight = arrays(built())["embedding.weight"]
    # 3,200 normal numbers: their deviation is 1 within 4 standard errors of 1/√6400
    assert abs(weight.std() - 1) < 4 / math.sqrt(2 * weight.size)


def test_a_tied_embedding_starts_so_small_that_its_logits_have_unit_scale() -> None:
    weight = arrays(built(tied=True))["embedding.weight"]
    # a row's expected squared norm is then 1: a hidden state of entries within ±1 gives logits
    # of that scale
    assert abs(weight.std() * math.sqrt(64) - 1) < 4 / math.sqrt(2 * weight.size)


def test_one_hot_input_starts_with_gates_as_wide_as_an_embedding_gives() -> None:
    one_hot = arrays(built(embedding_size=0))["recurrent.l0.weight_ih"]
    assert one_hot.shape == (4 * 64, VOCAB)
    # U(−1, 1): one column is picked: deviation 1/√3, as of E terms N(0, 1) · U(±1/√E)
    assert 0.99 < np.abs(one_hot).max() <= 1
    assert abs(one_hot.std() - 1 / math.sqrt(3)) < 0.02  # of 12,800 numbers: 8 standard errors


def test_the_projection_starts_without_a_bias() -> None:
    assert not arrays(built())["projection.bias"].any()


def test_an_untrained_model_gives_every_symbol_about_the_same_chance() -> None:
    ids = torch.arange(40).reshape(20, 2) % VOCAB
    logits, _ = built()(ids)
    nats = torch.nn.functional.cross_entropy(logits.flatten(0, 1), ids.flatten())
    assert abs(nats.item() - math.log(VOCAB)) < 0.5  # logits of an RNN's state of a few tenths


def test_tied_logits_are_products_with_the_embedding_s_rows() -> None:
    model = built(tied=True, cell="rnn", embedding_size=64)
    weights: Mapping[str, Any] = {k: v.astype(np.float64) for k, v in arrays(model).items()}
    logits, _ = model(torch.tensor([[3]]))
    embedded = weights["embedding.weight"][3]
    hidden = np.tanh(weights["recurrent.l0.weight_ih"] @ embedded + weights["recurrent.l0.bias"])
    expected = weights["embedding.weight"] @ hidden + weights["projection.bias"]
    # float32 sums of 64 terms below 1
    np.testing.assert_allclose(logits[0, 0].detach().numpy(), expected, atol=1e-5)


def test_what_would_not_fit_the_machine_is_refused_with_the_sizes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(size, "physical_memory", lambda: 16 * 1000)
    size.require_room({"a": (10, 100)})  # 1,000 parameters of 16 bytes: exactly what there is
    with pytest.raises(ConfigError, match="would have 1,001 parameters"):
        size.require_room({"a": (10, 100), "b": (1,)})


def test_where_the_system_does_not_tell_its_memory_nothing_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(size, "physical_memory", lambda: None)
    size.require_room({"a": (2**40,)})
