"""What the command line is tried on: a task known to it in tests alone, and a fixed model's run.

The task has two settings groups and two input fields.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from recurra import api, registry, store, tasks
from recurra.cli import main
from recurra.config import option, require
from recurra.results import Evaluation
from recurra.task import InputForm
from recurra.text.files import describe
from recurra.training.loop import Outcome
from recurra.training.settings import Training
from recurra.training.watch import Progress
from tests.cli.fixed_model import TEXT, P, fixed_model

PROGRESS = Progress(
    step=1200,
    share=0.25,
    epoch=1.5,
    loss_nats=1.5,
    smooth_nats=2.0,
    learning_rate=0.004,
    grad_norm=0.75,
    clipped_share=0.12,
    tokens_per_second=12345.0,
    unit="page",
    eta_seconds=754.0,
)


@dataclass(frozen=True, kw_only=True)
class ToyModel:
    hidden_size: int = option(256, "units a layer", why="measured on toys")
    cell: str = option("lstm", "a cell")
    tied: bool = option(False, "whether tied")
    label: str | None = option("all", "which label; none: every one")

    def __post_init__(self) -> None:
        require(self.cell in ("lstm", "gru"), "cell", self.cell, "must be lstm or gru")


@dataclass(frozen=True, kw_only=True)
class ToyConfig:
    model: ToyModel = field(default_factory=ToyModel)
    training: Training = field(default_factory=Training)


@dataclass(frozen=True, kw_only=True)
class ToyInput:
    title: str
    pages: int


@dataclass(frozen=True, kw_only=True)
class ToyAnswering:
    n_best: int = option(1, "how many answers")


@dataclass(frozen=True, kw_only=True)
class ToyEvaluating:
    split: str = option("test", "which part")


class ToyTask:
    name, kind, unit = "toy", "toy", "page"
    Config, Input, Answering, Evaluating = ToyConfig, ToyInput, ToyAnswering, ToyEvaluating

    def input_form(self, folder: Path) -> InputForm:
        return InputForm()


class Calls(list[tuple[str, tuple[Any, ...], dict[str, Any]]]):
    """What the command line asked of the API: name, arguments, keywords."""

    @property
    def only(self) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
        (call,) = self
        return call


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    """The task `toy` beside a recording API that trains nothing."""
    seen = Calls()
    found = {"tasks": ["toy"]}
    names, summary = registry.names, registry.summary
    monkeypatch.setattr(registry, "names", lambda folder: found.get(folder) or names(folder))
    monkeypatch.setattr(
        registry,
        "summary",
        lambda folder, name: "A toy." if folder == "tasks" else summary(folder, name),
    )
    monkeypatch.setattr(registry, "examples", lambda folder, name: ())
    monkeypatch.setattr(tasks, "load", lambda name: ToyTask())

    def trained(reason: str, **budget: Any) -> Any:
        training = {"steps": None, "epochs": None, "minutes": None, **budget}
        record = SimpleNamespace(task="toy", kind="toy", config={"training": training}, facts={})
        figures = {"nats_per_token_stateful": 2.0}
        outcome = Outcome(reason, 1500, 96000, 754.0, 1200, figures)
        return SimpleNamespace(folder=Path("runs/toy run"), record=record, outcome=outcome)

    def train(*arguments: Any, **keywords: Any) -> Any:
        watcher = keywords.pop("watcher")
        seen.append(("train", arguments, keywords))
        watcher.note("the text is short")
        watcher.stepped(PROGRESS)
        watcher.validated(PROGRESS, {"nats_per_token_stateful": 2.0}, True)
        watcher.validated(PROGRESS, {"nats_per_token_stateful": 3.0}, False)
        watcher.sampled(PROGRESS, "To be [b]or[/b] not")
        budget = {name: keywords[name] for name in ("steps", "minutes") if name in keywords}
        return trained("interrupted" if keywords["seed"] == 130 else "budget", **budget)

    def resume(*arguments: Any, **keywords: Any) -> Any:
        del keywords["watcher"]
        seen.append(("resume", arguments, keywords))
        return trained("early stop", steps=keywords["steps"], epochs=keywords["epochs"])

    monkeypatch.setattr(api, "train", train)
    monkeypatch.setattr(api, "resume", resume)
    monkeypatch.setattr(api, "load", lambda folder: ToyRun(seen))
    return seen


class ToyRun:
    """A run that answers with what it was asked."""

    record = SimpleNamespace(task="toy")

    def __init__(self, seen: Calls) -> None:
        self._seen = seen

    def evaluate(self, *files: str, **asked: Any) -> Evaluation:
        self._seen.append(("evaluate", files, asked))
        return Evaluation({"accuracy": 0.875}, "the test part", 8)

    def predict(self, inputs: Any, **asked: Any) -> list[str]:
        self._seen.append(("predict", tuple(inputs), asked))
        return [f"{item.title} has {item.pages} pages" for item in inputs]


@pytest.fixture
def toy_run(tmp_path: Path, calls: Calls) -> str:
    """A run folder whose record names the task `toy`."""
    folder = tmp_path / "toy-run"
    folder.mkdir()
    record = store.RunRecord(kind="toy", task="toy", seed=0, version="0.1.0", config={})
    (folder / store.CONFIG).write_text(json.dumps(dataclasses.asdict(record)))
    return str(folder)


@pytest.fixture
def run(tmp_path: Path) -> str:
    """The folder of a model that gives each symbol the probability P has for it."""
    data = tmp_path / "text.txt"
    data.write_text(TEXT)
    files = [dataclasses.asdict(describe(data))]
    return fixed_model(tmp_path / "run", P, given=[str(data)], files=files)


@pytest.fixture
def progress() -> Progress:
    """Where a training stands at a quarter of its budget."""
    return PROGRESS


@pytest.fixture
def refusal(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command line that must be refused: exit code 2, nothing on stdout, one line on stderr.

    The line is returned without its `recurra: `.
    """

    def assert_refused(*argv: str) -> str:
        assert main(argv) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("recurra: ")
        assert err.endswith("\n")
        assert err.count("\n") == 1
        return err.removeprefix("recurra: ").rstrip("\n")

    return assert_refused
