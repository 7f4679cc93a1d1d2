"""The settings of the names task. How the list is read and held out is `recurra.data.name_list`."""

from __future__ import annotations

from dataclasses import dataclass, field

from recurra.config import option, require_one_of
from recurra.data.name_list import NameData
from recurra.runtime.settings import NetworkSettings
from recurra.training.settings import Training

SPLITS = ("auto", "train", "valid", "test", "all")


def _network() -> NetworkSettings:
    return NetworkSettings(dropout=0.1)


def _training() -> Training:
    return Training(validate_every=100, sample_every=500)


@dataclass(frozen=True, kw_only=True)
class Config:
    """All settings of the task."""

    model: NetworkSettings = field(default_factory=_network)
    data: NameData = field(default_factory=NameData)
    training: Training = field(default_factory=_training)


@dataclass(frozen=True, kw_only=True)
class Evaluating:
    """What may be asked of `evaluate`."""

    split: str = option("auto", "auto: test, else valid; train, valid, test or all of the names")

    def __post_init__(self) -> None:
        require_one_of("split", self.split, SPLITS)


@dataclass(frozen=True, kw_only=True)
class Input:
    """One example: what a name begins with."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Answering:
    """What may be asked of an answer: nothing here; `sample` and `score` have their own flags."""
