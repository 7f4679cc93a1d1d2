"""Recipes: found data, verified data, and clear words for anything else."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path

import pytest

from recurra.config import updated
from recurra.errors import ConfigError, DataError
from recurra.recipe import read_recipe
from recurra.tasks import load

RECIPES = sorted((Path(__file__).parents[1] / "recipes").glob("*.toml"))
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
        ("task = 3", ConfigError, "task must be text, not 3"),
        ("seed = true", ConfigError, "seed must be a whole number, not True"),
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


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_of_ours_states_task_data_seed_and_budget_in_settings_that_exist(
    path: Path,
) -> None:
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    assert table["out"] == f"runs/{path.stem}"
    assert table["about"]
    assert type(table["seed"]) is int
    for entry in table["files"]:
        assert entry["path"].startswith("$RECURRA_DATA/")
        assert entry["origin"]
        assert entry["bytes"] > 0
        assert len(entry["sha256"]) == 64
    config = updated(load(table["task"]).Config(), table["settings"])
    assert (config.training.steps or config.training.epochs) is not None  # repeatable
    assert config.training.evaluate
