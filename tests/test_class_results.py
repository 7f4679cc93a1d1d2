"""Labels and class reports: figures from counts, and how they show themselves."""

from __future__ import annotations

import numpy as np
import pytest

from recurra.class_results import Label, class_report

LABELS = ("a", "b", "<c>", "d", "never")
TRUTH = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, 3])
ANSWERS = np.array([0, 0, 1, 2, 1, 1, 0, 2, 2, 0])


def test_precision_recall_and_f1_are_those_of_scikit_learn() -> None:
    found = class_report(LABELS, TRUTH, ANSWERS, nats=0.5, split="the test part").classes
    # precision_recall_fscore_support of scikit-learn 1.9.1, zero_division=0
    precision, recall = (0.5, 2 / 3, 2 / 3, 0, 0), (0.5, 2 / 3, 1, 0, 0)
    f1, support = (0.5, 2 / 3, 0.8, 0, 0), (4, 3, 2, 1, 0)
    rows = zip(found.values(), precision, recall, f1, support, strict=True)
    for one, *expected in rows:
        assert [one.precision, one.recall, one.f1, one.examples] == pytest.approx(expected)


def test_the_means_over_classes_leave_out_a_class_that_nobody_names_as_scikit_learn_does() -> None:
    figures = class_report(LABELS, TRUTH, ANSWERS, nats=0.5, split="the test part").figures
    # precision_score, recall_score and f1_score of scikit-learn 1.9.1, average="macro"
    assert figures["macro_precision"] == pytest.approx(0.45833333333333326)
    assert figures["macro_recall"] == pytest.approx(0.5416666666666666)
    assert figures["macro_f1"] == pytest.approx(0.49166666666666664)
    assert figures["accuracy"] == pytest.approx(6 / 10)
    assert figures["accuracy_of_the_largest_class"] == pytest.approx(4 / 10)


def test_a_row_of_the_confusion_matrix_is_a_truth_and_a_column_an_answer() -> None:
    made = class_report(LABELS, TRUTH, ANSWERS, nats=0.5, split="the test part")
    assert made.confusion[0] == (2, 1, 1, 0, 0)
    assert made.confusion[3] == (1, 0, 0, 0, 0)
    assert [sum(row) for row in made.confusion] == [4, 3, 2, 1, 0]


def test_a_report_shows_figures_classes_and_counts() -> None:
    made = class_report(LABELS, TRUTH, ANSWERS, nats=0.5, split="the test part", notes=["a note"])
    lines = str(made).splitlines()
    assert lines[0] == "the test part: 10 examples"
    assert "  b         0.6667  0.6667  0.6667         3" in lines
    assert "  1 a     2 1 1 . ." in lines
    assert "a note" in lines
    assert made.json()["examples"] == 10
    assert made.json()["classes"]["<c>"]["recall"] == 1
    assert "&lt;c&gt;" in made._repr_html_()


def test_a_label_shows_itself_with_the_runners_up() -> None:
    label = Label("ka<b>", (("Tavi", 0.75), ("Olem", 0.25)))
    assert (label.label, label.probability) == ("Tavi", 0.75)
    assert str(label) == "Tavi 0.750 (Olem 0.250): ka<b>"
    assert label.json()["ranked"][1] == {"label": "Olem", "probability": 0.25}
    assert "ka&lt;b&gt;" in label._repr_html_()


def test_a_report_on_many_classes_leaves_the_matrix_to_the_json_form() -> None:
    places = np.arange(41)
    labels = [f"c{place}" for place in places]
    found = class_report(labels, places, places, nats=0.5, split="the test part")
    assert "the confusion matrix of 41 classes is in the JSON form" in str(found)
    assert "rows: the truth" not in str(found)
    assert len(found.json()["confusion"]) == 41
