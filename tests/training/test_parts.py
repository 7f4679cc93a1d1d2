"""The loop's small parts: carried states, meters, the guard, signals, precision, saved counts."""

from __future__ import annotations

import hashlib
import math
import os
import signal
import threading
import time
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from recurra.errors import ConfigError, DivergedError, RunError
from recurra.training import guard, machine, meters, trees
from recurra.training.precision import Precision
from recurra.training.settings import Training
from recurra.training.signals import Interrupt
from recurra.training.state import State


class Pair(NamedTuple):
    hidden: Tensor
    cell: Tensor


def test_a_carried_state_comes_back_in_its_nesting_its_names_and_its_types() -> None:
    carried = (Pair(torch.ones(2), torch.zeros(2, dtype=torch.bfloat16)), None, (torch.ones(1),))
    structure, tensors = trees.flatten(carried)
    stored = [tensor.float() for tensor in tensors]  # as NumPy can hold them
    (first, nothing, (last,)) = trees.unflatten(structure, stored)
    assert torch.equal(first.hidden, torch.ones(2))
    assert first.cell.dtype == torch.bfloat16
    assert first._fields == ("hidden", "cell")
    assert nothing is None
    assert torch.equal(last, torch.ones(1))
    assert trees.unflatten(*trees.flatten(None)) is None


def test_a_detached_state_has_memory_of_its_own_and_no_history() -> None:
    whole = torch.ones(5, 4, requires_grad=True) * 2
    state = trees.detached((Pair(whole[-1], whole[:, 0]), None))
    assert isinstance(state[0], Pair)
    assert state[0].cell.is_contiguous()
    assert not state[0].hidden.requires_grad
    assert state[0].hidden.untyped_storage().nbytes() == 16


@pytest.mark.parametrize(
    "structure",
    [
        "float32",  # no tensor for it
        "os.system",
        {"items": []},
        {"fields": ["a b"], "items": [None]},
        {"fields": ["__class__"], "items": [None]},
        {"fields": ["a"], "items": []},
        3,
    ],
)
def test_a_damaged_carried_state_is_refused(structure: Any) -> None:
    with pytest.raises(RunError, match="carried state is damaged"):
        trees.unflatten(structure, [])


def test_a_tensor_too_many_is_refused() -> None:
    with pytest.raises(RunError, match="carried state is damaged"):
        trees.unflatten(None, [torch.ones(1)])


def test_the_smooth_loss_is_the_mean_of_the_first_hundred_steps() -> None:
    losses = [5.0 - index / 50 for index in range(100)]
    average = None
    for step, loss in enumerate(losses, 1):
        average = meters.smooth(average, loss, step)
    assert average == pytest.approx(math.fsum(losses) / 100, rel=1e-12)  # a few dozen roundings


def test_after_a_hundred_steps_the_smooth_loss_moves_by_a_hundredth() -> None:
    assert meters.smooth(4.0, 3.0, 1000) == pytest.approx(3.99, rel=1e-12)


def test_the_speed_is_that_of_the_last_seconds() -> None:
    speed = meters.Speed(100.0)
    assert speed.add(101.0, 50) == 50.0
    for second in range(102, 120):
        last = speed.add(float(second), 200)
    assert last == 200.0  # the slow first second is forgotten
    assert meters.Speed(5.0).add(5.0, 10) == 0.0  # no time has passed


def test_recorded_steps_grow_with_the_logarithm_of_the_steps() -> None:
    assert [step for step in range(1, 30_001) if meters.recorded(step)] == [
        *range(1, 1000),
        *range(1000, 10_000, 10),
        *range(10_000, 30_001, 100),
    ]


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_training_with_advice(loss: float) -> None:
    training = Training(learning_rate=0.4, clip_norm=None)
    with pytest.raises(
        DivergedError,
        match=rf"the loss became {loss} at step 7, learning rate 0.2. "
        r".*--learning-rate 0.1\) or clip the gradient \(--clip-norm 1\)",
    ):
        guard.check_loss(training, 7, loss, loss, 4.0, 0.2)


@pytest.mark.parametrize(
    ("first", "allowed", "stopped"), [(4.0, 15.9, 16.1), (0.1, 3.0, 3.2), (-2.0, 3.9, 4.1)]
)
def test_a_smooth_loss_far_above_the_first_stops_training(
    first: float, allowed: float, stopped: float
) -> None:
    guard.check_loss(Training(), 1, allowed, allowed, first, 0.1)
    with pytest.raises(
        DivergedError, match=r"the loss rose from .* or clip more .--clip-norm 0.25"
    ):
        guard.check_loss(Training(), 1, stopped, stopped, first, 0.1)


def test_a_gradient_or_a_score_that_is_not_finite_stops_training() -> None:
    with pytest.raises(DivergedError, match="gradient's norm became inf at step 3"):
        guard.check_gradient(Training(), 3, math.inf, 0.1)
    clipped = Training(clip_norm=None, clip_value=5.0)
    with pytest.raises(DivergedError, match=r"score became nan.*or clip by norm \(--clip-norm 1\)"):
        guard.check_score(clipped, 3, math.nan, 0.1)


def test_a_training_loss_that_rises_is_told_once_and_overfitting_never() -> None:
    rise = guard.Rise(Training(learning_rate=0.004))
    validations = [(1.7, False), (1.6, False), (1.67, True), (1.75, False), (1.72, True)]
    # 1.67 is within 0.05 of 1.6 times 1.05; 1.75 was no worse held out; 1.72 is the first in a row
    assert [rise.told(smooth, worse, 1500) for smooth, worse in validations] == [None] * 5
    told = rise.told(1.74, True, 2500)
    assert told is not None
    assert "has risen from 1.600 to 1.740 nats" in told
    assert "step 2,500" in told
    assert "--learning-rate 0.002" in told
    assert [rise.told(3.0, True, 2500) for _ in range(3)] == [None] * 3
    overfits = guard.Rise(Training())
    assert [overfits.told(smooth, True, 1) for smooth in (1.6, 1.2, 0.8, 0.01, 0.05)] == [None] * 5


def test_the_first_signal_asks_the_second_raises_and_the_handlers_come_back() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with Interrupt() as interrupt:
        assert not interrupt.asked
        os.kill(os.getpid(), signal.SIGTERM)
        assert interrupt.asked
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_two_signals_during_one_native_call_are_two() -> None:
    def twice() -> None:
        for _ in range(2):
            time.sleep(0.05)  # long before the call below ends
            os.kill(os.getpid(), signal.SIGINT)

    def work() -> None:
        sender.start()
        # a second without a look at signals, the lock of the interpreter released: as a kernel
        hashlib.pbkdf2_hmac("sha256", b"", b"", 2_000_000)
        sender.join()

    before = signal.set_wakeup_fd(-1)
    sender = threading.Thread(target=twice)
    with pytest.raises(KeyboardInterrupt), Interrupt():
        work()
    sender.join()
    assert signal.set_wakeup_fd(before) == -1


def test_outside_the_main_thread_no_handler_is_touched() -> None:
    seen: list[bool] = []

    def work() -> None:
        with Interrupt() as interrupt:
            seen.append(interrupt.asked)

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False]
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.parametrize("name", ["bfloat16", "float16"])
def test_half_precision_on_the_cpu_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"precision = '{name}': only CUDA has it.*is cpu"):
        Precision(name, torch.device("cpu"))


def test_float32_scales_nothing() -> None:
    precision = Precision("float32", torch.device("cpu"))
    assert precision.state() == {}
    assert not precision.exhausted
    weight = torch.ones(1, requires_grad=True)
    precision.backward(weight * 3)
    assert torch.equal(weight.grad, torch.tensor([3.0]))  # type: ignore[arg-type]


def test_saved_counts_are_checked() -> None:
    state = State(step=3, best_figures={"nats": 0.5}, smooth_nats=1.5)
    assert State.from_json(state.to_json()) == state
    for change in ({"step": -1}, {"step": 1.0}, {"smooth_nats": "x"}, {"best_figures": {"a": "b"}}):
        with pytest.raises(RunError, match=f"damaged: {next(iter(change))} = "):
            State.from_json({**state.to_json(), **change})
    with pytest.raises(RunError, match="other entries"):
        State.from_json({"step": 1})


def test_only_what_moves_the_last_bits_is_a_difference() -> None:
    now = machine.facts(torch.device("cpu"))
    assert machine.differences(now, now) == []
    old = {**now, "threads": 99, "python": "2.7"}
    assert machine.differences(old, now) == [f"threads {now['threads']}, was 99"]
    assert machine.differences({}, now) == []
