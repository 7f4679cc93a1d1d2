"""Nothing is timed that does not compute the same."""

from __future__ import annotations

import numpy as np
import pytest

from recurra.bench.agreement import largest, relative, require_same
from recurra.errors import DisagreementError


def test_the_distances_are_those_worked_by_hand() -> None:
    ours, theirs = np.array([3.0, 4.0]), np.array([0.0, 5.0])
    assert relative(ours, theirs) == pytest.approx(np.sqrt(10) / 5)
    assert largest(ours, theirs) == 3.0


def test_results_within_the_tolerance_agree_and_the_worst_is_told() -> None:
    theirs = {"x": [1.0, 2.0], "y": [1.0]}
    assert require_same("it", {"x": [1.0, 2.5], "y": [1.25]}, theirs, largest, 0.5) == 0.5


def test_results_further_apart_are_refused_by_name() -> None:
    with pytest.raises(DisagreementError) as caught:
        require_same("torch.nn", {"x": [1.0, 2.0]}, {"x": [1.0, 3.0]}, largest, 0.5)
    assert str(caught.value) == (
        "torch.nn and recurra do not compute the same, so they are not timed: x of shapes (2,) and "
        "(2,) differ by 1, above 0.5. That is a bug; please report it."
    )


@pytest.mark.parametrize("wrong", [[1.0, np.nan], [1.0], [[1.0, 2.0]]])
def test_a_nan_or_another_shape_never_agrees(wrong: list[float]) -> None:
    with pytest.raises(DisagreementError, match="differ by nan"):
        require_same("it", {"x": wrong}, {"x": [1.0, 2.0]}, largest, 1e9)


def test_a_result_that_the_other_side_lacks_never_agrees() -> None:
    with pytest.raises(DisagreementError, match=r"it has results \['y'\], ours \['x'\]"):
        require_same("it", {"x": [1.0]}, {"y": [1.0]}, largest, 1.0)
