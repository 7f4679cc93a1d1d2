"""Results about classes: the label of an input, and how often labels were right.

Not here: the arithmetic, which is scikit-learn's. It is imported when a report is made, so that
training and predicting do without it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.errors import MissingExtraError
from recurra.results import Evaluation

SHOWN = 40  # classes up to which the confusion matrix is part of the text
LINE = 80  # characters of an input in its answer's line

Counts = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Label:
    """What a classifier answers to one input."""

    given: str  # the input as text, or where it was read
    ranked: tuple[tuple[str, float], ...]  # labels with their probabilities, the likeliest first

    @property
    def label(self) -> str:
        """The likeliest label."""
        return self.ranked[0][0]

    @property
    def probability(self) -> float:
        """That of the likeliest label."""
        return self.ranked[0][1]

    def json(self) -> dict[str, Any]:
        """The result as JSON values."""
        return {
            "input": self.given,
            "label": self.label,
            "probability": self.probability,
            "ranked": [{"label": name, "probability": share} for name, share in self.ranked],
        }

    def __str__(self) -> str:
        others = ", ".join(f"{name} {share:.3f}" for name, share in self.ranked[1:])
        rest = f" ({others})" if others else ""
        return f"{self.label} {self.probability:.3f}{rest}: {self._line()}"

    def _line(self) -> str:
        """What was given, as one line of bounded length: answers can be read and counted."""
        return cut(" ".join(self.given.splitlines()), LINE)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(name)}</td><td>{share:.3f}</td><td><div style='width:{share:.1%};"
            "min-width:1px;background:#46c;height:.8em'></div></td></tr>"
            for name, share in self.ranked
        )
        return f"<table><caption>{escape(self._line())}</caption>{rows}</table>"


@dataclass(frozen=True)
class ClassFigures:
    """How often one class was found; 0 where nothing is divided by nothing."""

    precision: float  # of the answers that named it, the share that was right
    recall: float  # of its examples, the share that was found
    f1: float  # the harmonic mean of the two
    examples: int


@dataclass(frozen=True, kw_only=True)
class ClassReport(Evaluation):
    """The figures of a classifier on a split, class by class, and which it takes for which."""

    unit: str = "example"
    labels: tuple[str, ...]
    confusion: Counts  # [truth][answer]: examples
    classes: Mapping[str, ClassFigures]  # by label, in the order of `labels`

    def json(self) -> dict[str, Any]:
        """The result as JSON values."""
        return {
            **super().json(),
            "classes": {name: vars(figures) for name, figures in self.classes.items()},
            "labels": list(self.labels),
            "confusion": [list(row) for row in self.confusion],
        }

    def __str__(self) -> str:
        width = max(_cells(name) for name in (*self.labels, "class"))
        lines = [f"  {'class':<{width}}  precision  recall      F1  examples"]
        for name, one in self.classes.items():
            scores = f"{one.precision:9.4f}  {one.recall:6.4f}  {one.f1:6.4f}"
            lines.append(f"  {_filled(name, width)}  {scores}  {one.examples:8,}")
        if len(self.labels) <= SHOWN:
            table = self._table(width)
        else:
            table = [f"  the confusion matrix of {len(self.labels):,} classes is in the JSON form"]
        return "\n".join([super().__str__(), "", *lines, "", *table])

    def _table(self, width: int) -> list[str]:
        """The confusion matrix: a row a truth, a column an answer.

        A column has its label where all are as short as the cells, and else the row's number:
        numbers beside labels that are numbers, too, would be read as them.
        """
        numbers = [str(number) for number in range(1, len(self.labels) + 1)]
        cell = max(len(f"{max(max(row) for row in self.confusion)}"), len(numbers[-1])) + 1
        names = [_filled(name, width) for name in self.labels]
        if max(_cells(name) for name in self.labels) < cell:
            heads = list(self.labels)
        else:
            indent = len(numbers[-1])
            heads = numbers
            names = [
                f"{number:>{indent}} {name}" for number, name in zip(numbers, names, strict=True)
            ]
        lines = [
            "  rows: the truth; columns: the answer",
            " " * (2 + _cells(names[0]))
            + "".join(" " * (cell - _cells(head)) + head for head in heads),
        ]
        for name, row in zip(names, self.confusion, strict=True):
            counts = "".join(f"{count or '.':>{cell}}" for count in row)
            lines.append(f"  {name}{counts}")
        return lines

    def _repr_html_(self) -> str:
        classes = "".join(
            f"<tr><th>{escape(name)}</th><td>{one.precision:.4f}</td><td>{one.recall:.4f}</td>"
            f"<td>{one.f1:.4f}</td><td>{one.examples:,}</td></tr>"
            for name, one in self.classes.items()
        )
        heads = "".join(f"<th>{escape(name)}</th>" for name in self.labels)
        rows = ""
        for name, row in zip(self.labels, self.confusion, strict=True):
            cells = "".join(
                f"<td style='background:rgba(70,100,200,{count / max(1, sum(row)):.2f})'>"
                f"{count}</td>"
                for count in row
            )
            rows += f"<tr><th>{escape(name)}</th>{cells}</tr>"
        caption = "<caption>rows: the truth; columns: the answer</caption>"
        return (
            f"{super()._repr_html_()}<table><tr><th>class</th><th>precision</th><th>recall</th>"
            f"<th>F1</th><th>examples</th></tr>{classes}</table>"
            f"<table>{caption}<tr><th></th>{heads}</tr>{rows}</table>"
        )


def cut(line: str, most: int) -> str:
    """The line, or `most` characters: … in place of what stands before its last quarter of them.

    The end is kept because the numbers of sequences in a file stand there.
    """
    if len(line) <= most:
        return line
    end = most // 4
    return f"{line[: most - end - 1]}…{line[len(line) - end :]}"


def _cells(text: str) -> int:
    """How many letters' room a terminal gives a text: wide ones, as Chinese, take two."""
    return sum(1 + (unicodedata.east_asian_width(letter) in "WF") for letter in text)


def _filled(text: str, width: int) -> str:
    return text + " " * (width - _cells(text))


def class_report(
    labels: Sequence[str],
    truth: NDArray[np.int64],
    answers: NDArray[np.int64],
    *,
    nats: float,
    split: str,
    notes: Sequence[str] = (),
) -> ClassReport:
    """The report of answers (N,) to examples whose classes are `truth` (N,), both places in labels.

    labels: two or more, as every classifier has. nats: the mean −ln p of the truth. Beside the
    accuracy stands the share of the largest class: who always answers it is right that often.
    Raises MissingExtraError without scikit-learn.
    """
    metrics = library()
    places = np.arange(len(labels))
    table = metrics.confusion_matrix(truth, answers, labels=places)
    each = metrics.precision_recall_fscore_support(truth, answers, labels=places, zero_division=0)
    # without `labels`, a class that is neither true nor answered is left out of the means
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        truth, answers, average="macro", zero_division=0
    )
    figures: Mapping[str, float] = {
        "accuracy": float(metrics.accuracy_score(truth, answers)),
        "accuracy_of_the_largest_class": float(table.sum(1).max() / len(truth)),
        "macro_precision": float(precision),
        "macro_recall": float(recall),
        "macro_f1": float(f1),
        "nats_per_example": nats,
    }
    classes = {
        name: ClassFigures(float(precision), float(recall), float(f1), int(examples))
        for name, precision, recall, f1, examples in zip(labels, *each, strict=True)
    }
    return ClassReport(
        figures,
        split,
        len(truth),
        tuple(notes),
        labels=tuple(labels),
        confusion=tuple(tuple(row) for row in table.tolist()),
        classes=classes,
    )


def library() -> Any:
    """sklearn.metrics; MissingExtraError where it is not installed."""
    try:
        from sklearn import metrics
    except ImportError:
        raise MissingExtraError(
            'the figures of a classifier need scikit-learn: pip install "recurra[torch]"'
        ) from None
    return metrics
