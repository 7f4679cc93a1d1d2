"""Labels and class reports: figures from counts, and how they show themselves."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.class_results import Label, class_report, cut
from recurra.errors import MissingExtraError

LABELS = ("a", "b", "<c>", "d", "never")
TRUTH = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, 3])
ANSWERS = np.array([0, 0, 1, 2, 1, 1, 0, 2, 2, 0])


def test_precision_recall_and_f1_are_those_worked_by_hand() -> None:
    found = class_report(LABELS, TRUTH, ANSWERS, nats=0.5, split="the test part").classes
    expected = {  # right of the answers, right of the truths, 2 * right of both together
        "a": (2 / 4, 2 / 4, 4 / 8, 4),
        "b": (2 / 3, 2 / 3, 4 / 6, 3),
        "<c>": (2 / 3, 2 / 2, 4 / 5, 2),
        "d": (0, 0 / 1, 0 / 1, 1),  # never answered: nothing of nothing is 0
        "never": (0, 0, 0, 0),
    }
    assert list(found) == list(expected)
    for name, one in found.items():
        got = (one.precision, one.recall, one.f1, one.examples)
        assert got == pytest.approx(expected[name])


def test_the_means_over_classes_leave_out_a_class_that_is_neither_true_nor_answered() -> None:
    figures = class_report(LABELS, TRUTH, ANSWERS, nats=0.5, split="the test part").figures
    assert figures["macro_precision"] == pytest.approx((2 / 4 + 2 / 3 + 2 / 3 + 0) / 4)
    assert figures["macro_recall"] == pytest.approx((2 / 4 + 2 / 3 + 2 / 2 + 0) / 4)
    assert figures["macro_f1"] == pytest.approx((4 / 8 + 4 / 6 + 4 / 5 + 0) / 4)
    assert figures["accuracy"] == pytest.approx(6 / 10)
    assert figures["accuracy_of_the_largest_class"] == pytest.approx(4 / 10)


@settings(deadline=None)  # the library is imported in one of them
@given(
    st.integers(2, 6).flatmap(
        lambda size: st.tuples(
            st.just(size),
            st.lists(st.tuples(*[st.integers(0, size - 1)] * 2), min_size=1, max_size=12),
        )
    )
)
def test_a_report_is_its_definitions(case: tuple[int, list[tuple[int, int]]]) -> None:
    size, pairs = case
    truth, answers = np.array(pairs).T
    labels = [f"c{place}" for place in range(size)]
    made = class_report(labels, truth, answers, nats=0.5, split="the test part")
    counts = np.zeros((size, size))
    for pair in pairs:
        counts[pair] += 1
    right, true, answered = np.diag(counts), counts.sum(1), counts.sum(0)
    # where nothing is divided by nothing, right is 0 and so is 0 / 1
    precision, recall = right / np.maximum(answered, 1), right / np.maximum(true, 1)
    f1 = 2 * right / np.maximum(true + answered, 1)
    there = true + answered > 0
    np.testing.assert_array_equal(made.confusion, counts)
    found = [(one.precision, one.recall, one.f1, one.examples) for one in made.classes.values()]
    np.testing.assert_allclose(found, np.stack([precision, recall, f1, true], 1), rtol=1e-14)
    expected = {
        "accuracy": right.sum() / len(pairs),
        "accuracy_of_the_largest_class": true.max() / len(pairs),
        "macro_precision": precision[there].mean(),
        "macro_recall": recall[there].mean(),
        "macro_f1": f1[there].mean(),
        "nats_per_example": 0.5,
    }
    assert made.figures == pytest.approx(expected, rel=1e-14)


def test_without_scikit_learn_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    message = r'the figures of a classifier need scikit-learn: pip install "recurra\[torch\]"'
    with pytest.raises(MissingExtraError, match=message):
        class_report(LABELS, TRUTH, ANSWERS, nats=0.5, split="the test part")


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
    assert (
        "<tr><th>b</th><td>0.6667</td><td>0.6667</td><td>0.6667</td><td>3</td></tr>"
        in made._repr_html_()
    )
    assert "&lt;c&gt;" in made._repr_html_()


def test_columns_of_labels_as_short_as_the_counts_are_called_by_them() -> None:
    # numbered from 1 the answer "1" would be read in the column of "0"
    truth, answers = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
    made = class_report(["0", "1"], truth, answers, nats=0.5, split="the test part")
    assert str(made).splitlines()[-3:] == ["        0 1", "  0     1 1", "  1     . 2"]
    longer = class_report(["0", "10"], truth, answers, nats=0.5, split="the test part")
    assert str(longer).splitlines()[-3:] == ["          1 2", "  1 0     1 1", "  2 10    . 2"]


def test_a_label_of_wide_letters_takes_the_room_that_a_terminal_gives_it() -> None:
    both = np.array([0, 1])
    shown = str(class_report(["中文", "abcd"], both, both, nats=0.5, split="the test part"))
    _, lines = shown.split("  examples\n")
    wide, narrow, _, _, heads, *table = lines.splitlines()
    # two letters as wide as four
    assert wide.index("1.0000") + 2 == narrow.index("1.0000")
    assert heads == " " * len("  1 abcd ") + " 1 2"
    assert table == ["  1 中文  1 .", "  2 abcd  . 1"]


def test_a_label_shows_itself_on_one_line_with_the_runners_up() -> None:
    label = Label("ka<b>", (("Tavi", 0.75), ("Olem", 0.25)))
    assert (label.label, label.probability) == ("Tavi", 0.75)
    assert str(label) == "Tavi 0.750 (Olem 0.250): ka<b>"
    assert str(Label("a\nb\r\nc", (("Tavi", 0.75),))) == "Tavi 0.750: a b c"
    assert label.json()["ranked"][1] == {"label": "Olem", "probability": 0.25}
    assert "ka&lt;b&gt;" in label._repr_html_()


def test_an_answers_line_is_bounded_and_keeps_the_end_of_a_long_input() -> None:
    place = f"/data/{'long/' * 20}waves.npz, example 12"
    line = str(Label(place, (("Tavi", 0.75),)))
    assert line.startswith("Tavi 0.750: /data/long/long/")
    assert line.endswith("waves.npz, example 12"[-20:])
    assert len(line) == len("Tavi 0.750: ") + 80
    assert str(Label("x" * 80, (("Tavi", 0.75),))) == f"Tavi 0.750: {'x' * 80}"


@pytest.mark.parametrize("most", range(1, 10))
def test_a_line_is_cut_to_so_many_characters_however_few(most: int) -> None:
    assert len(cut("a long line", most)) == most


def test_a_report_on_many_classes_leaves_the_matrix_to_the_json_form() -> None:
    places = np.arange(41)
    labels = [f"c{place}" for place in places]
    found = class_report(labels, places, places, nats=0.5, split="the test part")
    assert "the confusion matrix of 41 classes is in the JSON form" in str(found)
    assert "rows: the truth" not in str(found)
    assert len(found.json()["confusion"]) == 41
