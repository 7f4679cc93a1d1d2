"""Windows along parallel streams: each prediction once a pass, the position saved and restored."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.data.streams import TokenStreams, Window, eval_streams, fit_shape
from recurra.errors import DataError, RunError
from recurra.rng import Streams

shapes = st.tuples(st.integers(2, 150), st.integers(1, 9), st.integers(1, 20))


def walk(count: int, batch: int, seq_len: int, seed: int = 0) -> TokenStreams:
    """Streams over 0, 1, 2, …: a token is its own position."""
    fitted, steps, _ = fit_shape(count, batch, seq_len)
    return TokenStreams(np.arange(count).astype(np.uint16), fitted, steps, Streams(seed).order)


def passes(streams: TokenStreams, count: int) -> list[list[Window]]:
    """The windows of the next `count` passes; the streams stand at a pass's end."""
    found: list[list[Window]] = []
    while True:
        before = streams.state()
        window = streams.next()
        if window.first:
            if len(found) == count:
                streams.restore(before)
                return found
            found.append([])
        found[-1].append(window)


@settings(max_examples=50, deadline=None)
@given(shape=shapes)
def test_a_pass_makes_every_prediction_once_but_the_few_that_fit_no_stream(
    shape: tuple[int, int, int],
) -> None:
    count = shape[0]
    batch, _, _ = fit_shape(*shape)
    for windows in passes(walk(*shape), 3):
        seen = Counter(int(at) for window in windows for at in window.inputs.ravel())
        assert set(seen.values()) == {1}
        assert len(seen) == (count - 1) // batch * batch


@settings(max_examples=50, deadline=None)
@given(shape=shapes)
def test_targets_are_the_next_tokens_and_shapes_are_time_major(shape: tuple[int, int, int]) -> None:
    batch, seq_len, _ = fit_shape(*shape)
    for window in (window for windows in passes(walk(*shape), 2) for window in windows):
        assert window.inputs.dtype == window.targets.dtype == np.int64
        assert window.inputs.shape == window.targets.shape
        assert window.inputs.shape[1] == batch
        assert 1 <= window.inputs.shape[0] <= seq_len
        assert (window.targets == window.inputs + 1).all()


@settings(max_examples=50, deadline=None)
@given(shape=shapes)
def test_each_stream_goes_on_where_its_last_window_ended(shape: tuple[int, int, int]) -> None:
    for windows in passes(walk(*shape), 3):
        for before, after in itertools.pairwise(windows):
            assert (after.inputs[0] == before.targets[-1]).all()


@settings(max_examples=50, deadline=None)
@given(shape=shapes)
def test_only_a_passs_first_window_resets_the_state(shape: tuple[int, int, int]) -> None:
    for windows in passes(walk(*shape), 3):
        assert [window.first for window in windows] == [True] + [False] * (len(windows) - 1)


@settings(max_examples=50, deadline=None)
@given(shape=shapes)
def test_the_first_pass_is_whole_windows_from_the_first_token_and_a_rest(
    shape: tuple[int, int, int],
) -> None:
    batch, seq_len, _ = fit_shape(*shape)
    streams = walk(*shape)
    (windows,) = passes(streams, 1)
    length = (shape[0] - 1) // batch
    assert windows[0].inputs[0, 0] == 0
    sizes = [len(window.inputs) for window in windows]
    full, rest = divmod(length, seq_len)
    assert sizes == [seq_len] * full + [rest] * (rest > 0)
    assert streams.steps_per_epoch == len(windows)


@settings(max_examples=50, deadline=None)
@given(shape=shapes)
def test_a_later_pass_has_at_most_one_window_more(shape: tuple[int, int, int]) -> None:
    streams = walk(*shape)
    for windows in passes(streams, 5):
        assert len(windows) in (streams.steps_per_epoch, streams.steps_per_epoch + 1)


def test_later_passes_cut_at_other_places() -> None:
    borders = {
        tuple(int(window.inputs[0, 0]) for window in windows)
        for windows in passes(walk(1000, 3, 16), 20)
    }
    assert len(borders) > 6  # of 9 lengths of the first window
    first_sizes = {len(windows[0].inputs) for windows in passes(walk(1000, 3, 16), 200)}
    assert first_sizes == set(range(8, 17))


def test_tokens_that_fit_no_stream_are_not_always_the_same() -> None:
    seen = {
        int(at)
        for windows in passes(walk(24, 5, 4), 30)  # 23 predictions: 3 are left out of each pass
        for window in windows
        for at in window.inputs.ravel()
    }
    assert seen == set(range(23))


def test_a_pass_of_one_window_stays_whole() -> None:
    for windows in passes(walk(5, 64, 64), 10):
        assert [window.inputs.ravel().tolist() for window in windows] == [[0, 1, 2, 3]]


@settings(max_examples=50, deadline=None)
@given(shape=shapes, before=st.integers(0, 40), after=st.integers(1, 40))
def test_going_on_from_a_saved_state_is_going_on(
    shape: tuple[int, int, int], before: int, after: int
) -> None:
    streams = walk(*shape)
    for _ in range(before):
        streams.next()
    state = json.loads(json.dumps(streams.state()))
    expected = [streams.next() for _ in range(after)]
    again = walk(*shape, seed=1)  # another generator, whose state is put back too
    again.restore(state)
    for window in expected:
        found = again.next()
        assert found.first == window.first
        assert (found.inputs == window.inputs).all()
        assert (found.targets == window.targets).all()


@pytest.mark.parametrize(
    "change",
    [{"at": 34}, {"at": -1}, {"cut": 17}, {"cut": 0}, {"start": 1}, {"at": "3"}, {"at": 2.0}],
)
def test_a_position_outside_the_text_is_refused(change: dict[str, Any]) -> None:
    streams = walk(100, 3, 16)  # 99 predictions: 3 streams of 33, nothing over
    with pytest.raises(RunError, match=r"position in the data does not fit it: .* is not in"):
        streams.restore(streams.state() | change)


@pytest.mark.parametrize("state", [{}, {"start": 0, "cut": 16, "at": 0, "order": {"bad": 1}}])
def test_a_damaged_position_is_refused(state: dict[str, Any]) -> None:
    with pytest.raises(RunError, match="position in the data"):
        walk(100, 3, 16).restore(state)


def test_a_text_too_short_for_the_streams_is_refused() -> None:
    with pytest.raises(DataError, match="5 tokens cannot make 5 streams of 3 steps"):
        TokenStreams(np.zeros(5, np.uint8), 5, 3, Streams(0).order)


def test_hello_fits_one_stream_of_four_steps_and_notes_say_so() -> None:
    batch, seq_len, notes = fit_shape(5, 64, 128)
    assert (batch, seq_len) == (1, 4)
    assert notes == (
        "the text has only 5 tokens: batch_size is 1 instead of 64.",
        "the text has only 5 tokens: seq_len is 4 instead of 128.",
    )


def test_the_batch_shrinks_before_the_length() -> None:
    assert fit_shape(1000, 64, 64)[:2] == (15, 64)
    assert fit_shape(64 * 64 + 1, 64, 64) == (64, 64, ())


@pytest.mark.parametrize("tokens", [0, 1])
def test_under_two_tokens_there_is_nothing_to_predict(tokens: int) -> None:
    with pytest.raises(DataError, match=f"the text has {tokens} token: at least two are needed"):
        fit_shape(tokens, 1, 1)


@given(st.integers(2, 500), st.integers(1, 20), st.integers(1, 600))
def test_evaluation_streams_are_contiguous_disjoint_and_bounded(
    count: int, batch: int, limit: int
) -> None:
    inputs, targets = eval_streams(np.arange(count).astype(np.uint16), batch, limit)
    assert (targets == inputs + 1).all()
    assert (np.diff(inputs, axis=0) == 1).all()
    assert len(np.unique(inputs)) == inputs.size <= limit
    streams = min(batch, limit, count - 1)
    assert (
        inputs.size > min(limit, count - 1) - streams
    )  # no fewer than streams of one length allow
    assert inputs.shape[1] == streams


def test_evaluation_streams_reach_from_the_first_token_to_the_last() -> None:
    inputs, targets = eval_streams(np.arange(10_001), 4, 400)  # type: ignore[arg-type]
    assert inputs.shape == (100, 4)
    assert inputs[0].tolist() == [0, 3300, 6600, 9900]
    assert targets[-1, -1] == 10_000


def test_nothing_to_evaluate_is_an_error() -> None:
    with pytest.raises(DataError, match="1 tokens, 4 streams, at most 10: nothing to predict"):
        eval_streams(np.zeros(1, np.uint8), 4, 10)
