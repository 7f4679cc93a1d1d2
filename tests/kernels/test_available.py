"""Which kernels there are, and what the environment decides."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from recurra import cells, kernels
from recurra.errors import ConfigError

present = pytest.mark.skipif(
    kernels.why_missing() is not None, reason=f"no native kernels: {kernels.why_missing()}"
)


def test_every_kernel_is_of_a_cell() -> None:
    assert set(kernels.names()) <= set(cells.names())


@pytest.mark.parametrize("name", kernels.names())
def test_a_kernel_knows_the_shapes_of_its_cells_parameters(name: str) -> None:
    kind, cell = kernels.kind(name), cells.load(name)
    parameters = cell.parameters(5, 7)
    assert kind.gates == len(cell.gates)
    assert kind.fields == len(cell.State._fields)
    assert parameters["weight_hh"].shape == (kind.recurrent_gates * 7, 7)
    assert set(parameters) - {"weight_ih", "weight_hh", "bias"} == {kind.other} - {None}


def test_an_unknown_kernel_is_an_error_that_lists_them() -> None:
    with pytest.raises(ConfigError, match=r"unknown kernel 'mgu'\. Have: gru, "):
        kernels.kind("mgu")


def test_off_in_the_environment_leaves_all_to_the_reference(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RECURRA_KERNELS", "off")
    assert kernels.why_missing() == "RECURRA_KERNELS=off"


@present
def test_off_is_seen_where_only_the_process_has_it() -> None:
    """os.putenv, and what embeds Python, set what os.environ does not show."""
    code = (
        "import os; os.environ.pop('RECURRA_KERNELS', None); from recurra import kernels\n"
        "os.putenv('RECURRA_KERNELS', 'off'); print(kernels.why_missing())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "RECURRA_KERNELS=off\n", done.stderr


@present
def test_the_best_set_is_chosen_where_none_is_named() -> None:
    if "RECURRA_ISA" not in os.environ:
        sets = kernels.instruction_sets()
        assert sets.chosen == sets.available[0]
    assert kernels.instruction_sets().available[-1] == "baseline"


@present
@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("RECURRA_ISA", "mmx", "RECURRA_ISA is mmx, but this build and processor have "),
        ("RECURRA_KERNELS", "0", "RECURRA_KERNELS is 0, but it can only be on or off."),
    ],
)
def test_what_cannot_be_had_is_an_error_that_says_what_there_is(
    name: str, value: str, said: str
) -> None:
    code = "from recurra import kernels; kernels.why_missing()"
    environment = {**os.environ, name: value}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )
    assert said in done.stderr
    assert "ConfigError" in done.stderr
