"""Which weights settings ask for."""

from __future__ import annotations

import tracemalloc

import pytest

from recurra.errors import ConfigError
from recurra.runtime import NetworkSettings, expected_shapes, resolve


@pytest.mark.parametrize(
    ("settings", "size"),
    [
        (NetworkSettings(hidden_size=32), 32),
        (NetworkSettings(hidden_size=32, tied=True), 32),
        (NetworkSettings(hidden_size=32, embedding_size=7), 7),
        (NetworkSettings(hidden_size=32, embedding_size=0), 0),
    ],
)
def test_the_embedding_has_hidden_size_units_unless_told_otherwise(
    settings: NetworkSettings, size: int
) -> None:
    assert resolve(settings).embedding_size == size


def test_a_one_hot_model_has_no_embedding_and_reads_symbols_directly() -> None:
    assert expected_shapes(NetworkSettings(hidden_size=8, embedding_size=0), 65) == {
        "recurrent.l0.weight_ih": (32, 65),
        "recurrent.l0.weight_hh": (32, 8),
        "recurrent.l0.bias": (32,),
        "projection.weight": (65, 8),
        "projection.bias": (65,),
    }


def test_a_tied_model_of_two_layers_with_a_learned_state_has_no_projection_weight() -> None:
    settings = NetworkSettings(
        cell="rnn", hidden_size=8, num_layers=2, tied=True, learned_state=True
    )
    assert expected_shapes(settings, 65) == {
        "embedding.weight": (65, 8),
        "recurrent.l0.weight_ih": (8, 8),
        "recurrent.l0.weight_hh": (8, 8),
        "recurrent.l0.bias": (8,),
        "recurrent.l0.initial_hidden": (8,),
        "recurrent.l1.weight_ih": (8, 8),
        "recurrent.l1.weight_hh": (8, 8),
        "recurrent.l1.bias": (8,),
        "recurrent.l1.initial_hidden": (8,),
        "projection.bias": (65,),
    }


def test_shapes_of_the_largest_settings_cost_no_memory() -> None:
    tracemalloc.start()
    expected_shapes(NetworkSettings(hidden_size=65536, num_layers=64), 10**12)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**22  # the module of the cell and some hundred short tuples


def test_an_unknown_cell_is_named() -> None:
    with pytest.raises(ConfigError, match=r"unknown cell 'lstn'.*Did you mean 'lstm'"):
        expected_shapes(NetworkSettings(cell="lstn"), 65)
