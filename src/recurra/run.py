"""A run folder, opened: samples, scores, figures and answers.

A language model is drawn from and scored without torch; the rest is the task's, and imports it.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recurra import store
from recurra.config import require, updated
from recurra.errors import MissingExtraError, reading_as_trained
from recurra.naming import require_path
from recurra.results import Answers, Evaluation, Sample, Samples, Score
from recurra.runtime import LanguageModel, sampling, scoring

if TYPE_CHECKING:
    from recurra.task import Task
    from recurra.training.loop import Outcome


class Run:
    """A run folder, opened: ask it for samples, scores, figures and answers.

    `int8` takes a language model whose weights are rounded to 8 bits: faster where they are many.
    """

    def __init__(self, folder: str | Path, outcome: Outcome | None = None) -> None:
        self.folder = Path(folder)
        self.record = store.read_record(self.folder)
        self.outcome = outcome  # how training ended, where it was this process that trained
        self._models: dict[bool, LanguageModel] = {}  # by whether they are rounded to int8

    @property
    def model(self) -> LanguageModel:
        """The language model on NumPy; RunError where the run is of another kind."""
        return self._opened(int8=False)

    def _opened(self, *, int8: bool) -> LanguageModel:
        if int8 not in self._models:
            self._models[int8] = LanguageModel.open(self.folder, int8=int8)
        return self._models[int8]

    def sample(
        self,
        prompt: str = "",
        *,
        length: int | None = None,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        stop: str | Sequence[str] = (),
        seed: int = 0,
        count: int = 1,
        context: str | None = None,
        label: str | None = None,
        int8: bool = False,
    ) -> Sample | Samples:
        """The prompt continued by `length` symbols: a Sample, or a list where count > 1.

        `length` None: 200; where sequences end (names), all up to the end. `label`: of which class.
        """
        drawn = sampling.sample(
            self._opened(int8=int8),
            prompt,
            length=length,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            stop=(stop,) if isinstance(stop, str) else tuple(stop),
            seed=seed,
            count=count,
            context=context,
            label=label,
        )
        return drawn[0] if count == 1 else Samples(drawn)

    def beam(
        self,
        prompt: str = "",
        *,
        length: int | None = None,
        width: int = 4,
        context: str | None = None,
        label: str | None = None,
        int8: bool = False,
    ) -> Samples:
        """The likeliest continuations a beam finds, best first; they repeat more than samples."""
        found = sampling.beam(
            self._opened(int8=int8),
            prompt,
            length=length,
            width=width,
            context=context,
            label=label,
        )
        return Samples(found)

    def stream(
        self,
        prompt: str = "",
        *,
        length: int | None = None,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        stop: str | Sequence[str] = (),
        seed: int = 0,
        context: str | None = None,
        label: str | None = None,
        int8: bool = False,
    ) -> Iterator[str]:
        """The text of `sample` with these arguments, piece by piece as it is drawn."""
        return sampling.stream(
            self._opened(int8=int8),
            prompt,
            length=length,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            stop=(stop,) if isinstance(stop, str) else tuple(stop),
            seed=seed,
            context=context,
            label=label,
        )

    def score(
        self,
        text: str,
        context: str | None = None,
        *,
        label: str | None = None,
        int8: bool = False,
    ) -> Score:
        """What the model gives the text: nats in all, a token, and each token's."""
        return scoring.score(self._opened(int8=int8), text, context, label)

    def evaluate(self, *files: str | Path, **asked: Any) -> Evaluation:
        """The figures on `files`, or on the run's own held-out part; `asked`: the task's flags."""
        task = task_of(self.record.task)
        asking = updated(task.Evaluating(), asked)
        split = asked.get("split", "auto")
        alone = "is a part of the run's own data, and files are read whole: give one of the two"
        require(split == "auto" or not files, "split", split, alone)
        for file in files:
            require_path(file)
        with reading_as_trained():
            return task.evaluate(self.folder, [str(file) for file in files], asking)

    def predict(self, inputs: Sequence[Any], **asked: Any) -> Answers:
        """One answer an input: a text, or a tuple or a table of the fields of the task's Input.

        A list is one input, too, where the task takes lists: a tagger's sentence that is cut into
        words already is predict([["Ann", "Lee"]]), and predict(["Ann", "Lee"]) is two sentences.
        `asked`: the task's flags of `predict`. Raises ConfigError for one input instead of several.
        """
        several = isinstance(inputs, Iterable) and not isinstance(inputs, str | bytes | dict)
        require(several, "inputs", inputs, "must be a list: predict([...])")
        task = task_of(self.record.task)
        from recurra.task import as_input  # behind torch, as the task is

        asking = updated(task.Answering(), asked)
        given = [as_input(task.Input, one) for one in inputs]
        return Answers(task.predict(self.folder, given, asking))

    def __repr__(self) -> str:
        return f"<Run {self.folder}: {self.record.task}>"

    def _repr_html_(self) -> str:
        return f"<p>{self.record.task} in <code>{html.escape(str(self.folder))}</code></p>"


def load(folder: str | Path) -> Run:
    """The run in a folder; RunError where it is not one."""
    return Run(folder)


def task_of(name: str) -> Task:
    """The task of that name; MissingExtraError where there is no torch."""
    try:
        from recurra import tasks
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise MissingExtraError(
            'training and evaluation need torch: pip install "recurra[torch]"'
        ) from None
    return tasks.load(name)
