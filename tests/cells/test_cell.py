"""The folder of cells, and the rules by which weights start."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from recurra import cells
from recurra.cells import Weights, constant, gate_bias, orthogonal, uniform
from recurra.errors import ConfigError


def test_the_folder_holds_these_cells() -> None:
    listed = "coupled_lstm gru gru_reset_before irnn layer_norm_lstm lstm mgu peephole_lstm"
    assert cells.names() == [*listed.split(), "relu_rnn", "rnn"]


@pytest.mark.parametrize("name", cells.names())
def test_a_loaded_cell_bears_the_name_of_its_file(name: str) -> None:
    assert cells.load(name).name == name


def test_an_unknown_cell_is_an_error_that_suggests_the_nearest() -> None:
    with pytest.raises(
        ConfigError, match=r"unknown cell 'lsmt'\. Have: .*rnn\. Did you mean 'lstm'"
    ):
        cells.load("lsmt")


@pytest.mark.parametrize("name", ["_cell", "../lstm", "os", ""])
def test_a_name_that_is_no_public_file_is_not_imported(name: str) -> None:
    with pytest.raises(ConfigError, match="unknown cell"):
        cells.load(name)


def test_uniform_fills_the_interval_of_one_over_the_root_of_the_inputs() -> None:
    drawn = uniform(np.random.default_rng(0), (100, 25))
    assert np.abs(drawn).max() <= 0.2
    # 2,500 draws: the expected distance of the largest from the bound is 0.2 / 2,500
    assert np.abs(drawn).max() > 0.199


def test_orthogonal_is_an_orthogonal_matrix_a_gate_and_never_the_same() -> None:
    one, two = np.split(orthogonal(np.random.default_rng(0), (10, 5)), 2)
    assert_allclose(one @ one.T, np.eye(5), rtol=0, atol=1e-12)  # rounding
    assert_allclose(two @ two.T, np.eye(5), rtol=0, atol=1e-12)
    assert np.abs(one - two).max() > 0.1


def test_a_gate_bias_stands_in_its_gate_alone() -> None:
    rule = gate_bias(("i", "f"), {"f": 1.5})
    assert_allclose(rule(np.random.default_rng(0), (4,)), [0, 0, 1.5, 1.5], rtol=0, atol=0)


def test_a_constant_is_everywhere() -> None:
    assert_allclose(constant(2.5)(np.random.default_rng(0), (2, 1)), [[2.5], [2.5]], rtol=0)


def test_an_unknown_weight_is_an_attribute_error_with_its_name() -> None:
    with pytest.raises(AttributeError, match="weight_xy"):
        _ = Weights(weight_ih=1).weight_xy
