"""Recipes: found data, verified data, and clear words for anything else."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from recurra.errors import ConfigError, DataError
from recurra.recipe import read_recipe

TEXT = b"to be or not to be\n"


def written(folder: Path, body: str) -> Path:
    path = folder / "r.toml"
    path.write_text(body)
    return path


def test_a_recipe_gives_its_task_seed_files_and_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x.txt").write_bytes(TEXT)
    monkeypatch.setenv("RECURRA_DATA", str(tmp_path / "data"))
    digest = hashlib.sha256(TEXT).hexdigest()
    recipe = read_recipe(
        written(
            tmp_path,
            f"""task = "lm"\nseed = 4\n[[files]]\npath = "$RECURRA_DATA/x.txt"\nbytes = {len(TEXT)}
sha256 = "{digest}"\n[settings]\nhidden_size = 8\n""",
        )
    )
    assert (recipe.task, recipe.seed, recipe.settings) == ("lm", 4, {"hidden_size": 8})
    assert recipe.files == (str(tmp_path / "data" / "x.txt"),)


@pytest.mark.parametrize(
    ("body", "error", "message"),
    [
        ("task = 3", ConfigError, "task must be a str, not 3"),
        ("seed = true", ConfigError, "seed must be a int, not True"),
        ("seed = " + "9" * 5000, ConfigError, "is not a TOML file"),
        ("[[files]]\npath = '.'", DataError, "which is not there"),
        ("tsak = 'lm'", ConfigError, r"unknown key 'tsak'. Did you mean 'task'\?"),
        ("= 3", ConfigError, "is not a TOML file"),
        ("files = 'x'", ConfigError, r"files must be \[\[files\]\] tables"),
        ("[[files]]\nbytes = 1", ConfigError, "needs a path"),
        ("[[files]]\npath = 'gone.txt'\norigin = 'the moon'", DataError, "Origin: the moon"),
        ("[[files]]\npath = 'x.txt'\nbytes = 1", DataError, "has 19 bytes; .* was made on 1"),
        ("[[files]]\npath = 'x.txt'\nsha256 = '00'", DataError, "names 00"),
        ("[[files]]\npath = '$RECURRA_DATA/x.txt'", DataError, "RECURRA_DATA is not set"),
    ],
)
def test_what_is_wrong_with_a_recipe_is_said(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    body: str,
    error: type[Exception],
    message: str,
) -> None:
    monkeypatch.delenv("RECURRA_DATA", raising=False)
    (tmp_path / "x.txt").write_bytes(TEXT)
    with pytest.raises(error, match=message):
        read_recipe(written(tmp_path, body))
