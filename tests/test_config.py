"""Config dataclasses: flat names, checked values, JSON and back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from recurra import registry, tasks
from recurra.config import (
    from_json,
    option,
    options,
    require,
    require_one_of,
    to_json,
    updated,
)
from recurra.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Inner:
    width: int = option(3, "units")
    rate: float | None = option(None, "a share", why="measured")

    def __post_init__(self) -> None:
        require(self.width > 0, "width", self.width, "must be positive")


@dataclass(frozen=True, kw_only=True)
class Outer:
    inner: Inner = field(default_factory=Inner)
    name: str = option("x", "a name")
    loud: bool = option(False, "a switch")


def test_options_are_flat_and_know_their_group() -> None:
    found = options(Outer())
    assert list(found) == ["width", "rate", "name", "loud"]
    assert (found["width"].group, found["width"].default, found["name"].group) == ("inner", 3, "")
    assert found["rate"].help == "a share"
    assert found["rate"].why == "measured"


def test_updated_changes_only_what_is_named() -> None:
    changed = updated(Outer(), {"width": 5, "rate": 1, "loud": True})
    assert changed == Outer(inner=Inner(width=5, rate=1.0), loud=True)
    assert isinstance(changed.inner.rate, float)


def test_numpys_own_text_and_float_are_taken_as_what_they_are() -> None:
    changed = updated(Outer(), {"rate": np.float64(0.5), "name": np.str_("y")})
    assert changed == Outer(inner=Inner(rate=0.5), name="y")
    assert type(changed.inner.rate) is float


def test_an_unknown_setting_is_answered_with_the_nearest_one() -> None:
    with pytest.raises(ConfigError, match=r"unknown setting 'widht'. Did you mean 'width'\?"):
        updated(Outer(), {"widht": 5})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"width": "5"}, r"width = '5': must be int, not str"),
        ({"width": True}, r"width = True: must be int, not bool"),
        ({"width": 2.5}, r"width = 2.5: must be int, not float"),
        ({"rate": "a"}, r"rate = 'a': must be float or none, not str"),
        ({"width": -1}, r"width = -1: must be positive"),
        ({"width": 2**63}, r"width = 9223372036854775808: is too large a number"),
        ({"rate": 10**400}, r"rate = 10+: is too large a number"),
        ({"rate": float("nan")}, r"rate = nan: must be a finite number"),
        ({"rate": float("inf")}, r"rate = inf: must be a finite number"),
        ({"rate": np.float64("nan")}, r"rate = .*nan.*: must be a finite number"),
        ({"rate": True}, r"rate = True: must be float or none, not bool"),
        ({"name": "\ud800"}, r"name = '.ud800': must be Unicode text"),
    ],
)
def test_a_value_of_the_wrong_type_or_range_is_named(settings: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        updated(Outer(), settings)


def test_json_round_trip_gives_the_same_config() -> None:
    config = Outer(inner=Inner(width=7, rate=0.5), name="y")
    assert from_json(Outer, to_json(config)) == config


def test_a_setting_younger_than_the_values_has_its_default() -> None:
    values = {"inner": {"width": 7}, "name": "y"}
    assert from_json(Outer, values) == Outer(inner=Inner(width=7, rate=None), name="y", loud=False)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": "x", "loud": True}, "config lacks inner"),
        ([], r"config = \[\]: must be a table"),
        (
            {"inner": {"width": 3, "rate": None, "extra": 1}, "name": "x", "loud": False},
            "unknown setting config.inner.extra",
        ),
        (
            {"inner": {"width": [3], "rate": None}, "name": "x", "loud": False},
            r"config.inner.width = \[3\]: must be int, not list",
        ),
    ],
)
def test_json_that_is_not_the_config_is_refused_by_name(values: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        from_json(Outer, values)


def test_a_choice_that_is_none_is_answered_with_all_and_the_nearest() -> None:
    known = ("adam", "adagrad", "sgd")
    require_one_of("optimizer", "sgd", known)
    with pytest.raises(ConfigError) as caught:
        require_one_of("optimizer", "adan", known)
    assert str(caught.value) == (
        "optimizer = 'adan': must be one of adam, adagrad, sgd. Did you mean 'adam'?"
    )
    with pytest.raises(ConfigError, match=r"must be one of adam, adagrad, sgd\.$"):
        require_one_of("optimizer", "lion", known)


@pytest.mark.parametrize("task", registry.names("tasks"))
def test_every_choice_of_every_task_names_the_nearest(task: str) -> None:
    """A setting whose help or error lists its values: a wrong letter must be told."""
    config = tasks.load(task).Config()
    for wrong in ("optimizer", "schedule", "precision", "tokens", "pooling", "class_weights"):
        if wrong in options(config):
            right = options(config)[wrong].default
            with pytest.raises(ConfigError, match=f"Did you mean {right!r}"):
                updated(config, {wrong: f"{right}x"})
    with pytest.raises(ConfigError, match="Did you mean 'valid'"):
        updated(tasks.load(task).Evaluating(), {"split": "vaild"})
