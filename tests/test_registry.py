"""The folder is the registry."""

from __future__ import annotations

import subprocess
import sys

import pytest

from recurra import registry
from recurra.errors import ConfigError


def test_private_files_are_not_names() -> None:
    assert "lstm" in registry.names("cells")
    assert not any(name.startswith("_") for name in registry.names("cells"))


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(
        ConfigError, match=r"unknown cell 'lsmt'. Have: .*lstm.* Did you mean 'lstm'"
    ):
        registry.load("cells", "lsmt")


@pytest.mark.parametrize("name", ["../errors", "_cell", "os", "", "lstm.py"])
def test_only_listed_names_are_ever_imported(name: str) -> None:
    with pytest.raises(ConfigError, match="unknown cell"):
        registry.load("cells", name)


def test_a_summary_is_the_first_line_of_the_docstring() -> None:
    assert registry.summary("cells", "lstm") == "Long short-term memory."


def test_importing_recurra_and_its_api_does_not_import_torch() -> None:
    code = "import sys, recurra; recurra.load; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
