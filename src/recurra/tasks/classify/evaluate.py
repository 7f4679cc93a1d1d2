"""The figures of a classifier on a part of its examples or on other files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from recurra import class_results, store
from recurra.class_results import ClassReport, class_report
from recurra.data import labelled
from recurra.data.examples import Examples, join
from recurra.data.holdout import part_to_evaluate
from recurra.data.same import require_own, require_same
from recurra.errors import DataError
from recurra.results import counted
from recurra.tasks.classify import picture
from recurra.tasks.classify.assets import as_read
from recurra.tasks.classify.classifier import Classifier, log_probabilities
from recurra.tasks.classify.config import Data, Evaluating
from recurra.tasks.classify.data import PARTS, Corpus


def evaluate(folder: Path, files: Sequence[str], asked: Evaluating) -> ClassReport:
    """Accuracy, the classes' figures and the confusion matrix of the run in `folder` on a part.

    With `files`, on all of their examples; the picture in the run stays that of its own parts.
    Every example is read once. Raises DataError where that part does not exist and for a label that
    training never saw, MissingExtraError without scikit-learn.
    """
    class_results.library()  # now, as the picture's place: the answers may take long
    if asked.picture is not None:
        picture.require_place(asked.picture)
    classifier = Classifier.open(folder)
    examples, split, notes = _examples(folder, classifier, files, asked)
    assets, data = classifier.assets, classifier.config.data
    sequences = [
        assets.sequence(given, data, where)
        for given, where in zip(examples.inputs, examples.places, strict=True)
    ]
    truth = assets.class_numbers(examples)
    found = log_probabilities(classifier.model, sequences, assets.scale)
    nats = -float(found[np.arange(len(truth)), truth].mean())
    report = class_report(
        assets.labels, truth, found.argmax(1), nats=nats, split=split, notes=notes
    )
    if files and asked.picture is None:
        return report
    return picture.kept(report, folder, asked.picture)


def _examples(
    folder: Path, classifier: Classifier, files: Sequence[str], asked: Evaluating
) -> tuple[Examples, str, list[str]]:
    """The examples that are asked for, what they are in words, and notes."""
    data = classifier.config.data
    corpus = None if files and asked.repeated else _own(folder, classifier)
    notes: list[str] = []
    if files:
        examples = labelled.read(files, data.columns, classifier.assets.labels)
        split = f"all of {', '.join(files)}"
    else:
        assert corpus is not None
        name, found = part_to_evaluate(asked.split, corpus.parts)
        examples, split = _part(folder, corpus, name)
        notes += found
    notes += examples.notes
    if asked.repeated:
        return examples, split, notes
    assert corpus is not None
    trained = {_key(given, data) for given in corpus.parts["train"].inputs}
    rows = [row for row, given in enumerate(examples.inputs) if _key(given, data) not in trained]
    if not rows:
        raise DataError(f"{split}: every input in it stands in the training part, too.")
    notes.append(
        f"left out: {len(examples) - len(rows):,} of {counted(len(examples), 'example')}, whose "
        "input stands in the training part."
    )
    return examples.take(rows), f"{split}, without repeated inputs", notes


def _own(folder: Path, classifier: Classifier) -> Corpus:
    """The run's own examples, checked to be those that it was trained on."""
    record = store.read_record(folder)
    require_own(folder, record)
    corpus = Corpus.read(classifier.config.data, record.given)
    require_same(folder, record.files, corpus.sources)
    return corpus


def _part(folder: Path, corpus: Corpus, split: str) -> tuple[Examples, str]:
    if split == "all":
        return join([corpus.parts[name] for name in PARTS if name in corpus.parts]), "all examples"
    if split not in corpus.parts:
        raise DataError(f"{folder} has no {split} part: nothing was held out for it.")
    return corpus.parts[split], f"the {split} part"


def _key(given: Any, data: Data) -> Any:
    """What two inputs that are read as the same have in common."""
    return as_read(given, data) if isinstance(given, str) else (given.shape, given.tobytes())
