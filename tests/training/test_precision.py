"""Half precision without a GPU: torch's own loss scale and autocast for the CPU stand in.

That a GPU computes so is not shown here; that the loop scales, skips and counts is.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from recurra import store
from recurra.errors import ConfigError, DivergedError, RunError
from recurra.task import Loss
from recurra.training import events
from recurra.training.precision import Precision
from recurra.training.settings import Training
from recurra.training.watch import Progress, Quiet
from tests.training.parity_task import Batch, Config, Parity, fit

pytestmark = pytest.mark.usefixtures("no_curve")

CONFIG = Config(
    training=Training(
        steps=6,
        batch_size=8,
        optimizer="sgd",
        momentum=0.0,
        clip_norm=None,
        schedule="constant",
        validate_every=100,
        sample_every=0,
        save_every=0.0,
    )
)
SCALE = 1024.0
GOOD = {  # what a loss scale is saved as
    "scale": 1024.0,
    "growth_factor": 2.0,
    "backoff_factor": 0.5,
    "growth_interval": 2000,
    "_growth_tracker": 6,
}


@pytest.fixture
def scaled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every Precision is float32 with the loss scale of float16, on the CPU."""

    class Scaled(Precision):
        def __init__(self, name: str, device: torch.device) -> None:
            super().__init__(name, device)
            self.scaler = torch.amp.GradScaler("cpu", init_scale=SCALE)

    monkeypatch.setattr("recurra.training.session.Precision", Scaled)


class _Overflow(torch.autograd.Function):
    """The same value, with an infinite gradient."""

    @staticmethod
    def forward(context: Any, value: Tensor) -> Tensor:
        return value.clone()

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        return gradients[0] * math.inf


class Overflows(Parity):
    """Its gradient is not finite in those steps of a process."""

    def __init__(self, steps: set[int]) -> None:
        self.steps, self.turn = steps, 0

    def loss(
        self, model: nn.Module, batch: Batch, carried: Any, generator: torch.Generator | None
    ) -> Loss:
        self.turn += 1
        loss = super().loss(model, batch, carried, generator)
        if self.turn in self.steps:
            loss = Loss(_Overflow.apply(loss.mean_nats), loss.tokens)  # type: ignore[no-untyped-call]
        return loss


class Diary(Quiet):
    """Keeps every step, and calls `after` with it."""

    def __init__(self, after: Callable[[Progress], None] = lambda progress: None) -> None:
        self.steps: list[Progress] = []
        self._after = after

    def stepped(self, progress: Progress) -> None:
        self.steps.append(progress)
        self._after(progress)


def _weights(run: Path) -> bytes:
    tensors = store.read_tensors(run / store.RESUME)
    return b"".join(tensors[name].tobytes() for name in sorted(tensors) if "model/" in name)


@pytest.mark.usefixtures("scaled")
def test_a_step_whose_gradient_overflowed_leaves_the_weights_and_counts(tmp_path: Path) -> None:
    run = tmp_path / "run"
    weights: list[bytes] = []
    diary = Diary(lambda progress: weights.append(_weights(run)))  # of the save before each step
    outcome = fit(run, CONFIG, task=Overflows({3}), watcher=diary)
    assert outcome.steps == 6
    same = [weights[step] == weights[step - 1] for step in range(1, 6)]
    assert same == [False, False, True, False, False]  # step 3 alone moved nothing
    assert [math.isfinite(progress.grad_norm) for progress in diary.steps] == [
        step != 3 for step in range(1, 7)
    ]


@pytest.mark.usefixtures("scaled")
def test_the_gradient_norm_of_an_overflowed_step_is_null_in_the_metrics(tmp_path: Path) -> None:
    fit(tmp_path / "run", CONFIG, task=Overflows({3}))
    norms = [
        record["grad_norm"]
        for record in store.read_metrics(tmp_path / "run")
        if record["kind"] == "train"
    ]
    assert [norm is None for norm in norms] == [step == 3 for step in range(1, 7)]


@pytest.mark.usefixtures("scaled")
def test_a_loss_scale_changes_no_step_but_by_rounding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # With a loss scale the weights are moved by torch's optimizers, so without one they must be.
    monkeypatch.setenv("RECURRA_KERNELS", "off")
    diary = Diary()
    fit(tmp_path / "scaled", CONFIG, watcher=diary)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("recurra.training.session.Precision", Precision)
        plain = Diary()
        fit(tmp_path / "plain", CONFIG, watcher=plain)
    # A power of two scales exactly in float32.
    assert [p.grad_norm for p in diary.steps] == [p.grad_norm for p in plain.steps]
    assert _weights(tmp_path / "scaled") == _weights(tmp_path / "plain")


@pytest.mark.usefixtures("scaled")
def test_the_loss_scale_halves_at_an_overflow_and_is_saved(tmp_path: Path) -> None:
    run = tmp_path / "run"
    fit(run, CONFIG, task=Overflows({3}))
    scalars = json.loads(store.read_header(run / store.RESUME).metadata["scalars"])
    assert scalars["precision"]["scale"] == SCALE / 2
    fit(run, Config(training=replace(CONFIG.training, steps=8)), resume=True)
    scalars = json.loads(store.read_header(run / store.RESUME).metadata["scalars"])
    assert scalars["precision"]["scale"] == SCALE / 2


@pytest.mark.usefixtures("scaled")
def test_float16_that_never_fits_ends_training_with_advice(tmp_path: Path) -> None:
    training = replace(CONFIG.training, steps=100)
    with pytest.raises(
        DivergedError, match=r"float16 overflows at step 21, .*--precision bfloat16"
    ):
        fit(tmp_path / "run", Config(training=training), task=Overflows(set(range(1, 101))))


@pytest.mark.usefixtures("scaled")
@pytest.mark.parametrize(
    "saved", [{}, 3, {"scale": 2.0}, {**GOOD, "scale": "x"}, {**GOOD, "surprise": 1.0}], ids=str
)
def test_a_damaged_loss_scale_is_refused(tmp_path: Path, saved: Any) -> None:
    run = tmp_path / "run"
    fit(run, CONFIG)
    scalars = json.loads(store.read_header(run / store.RESUME).metadata["scalars"])
    assert set(scalars["precision"]) == set(GOOD)
    tensors = store.read_tensors(run / store.RESUME)
    text = json.dumps({**scalars, "precision": saved})
    store.save_tensors(run / store.RESUME, tensors, {"scalars": text})
    with pytest.raises(RunError, match=r"resume\.safetensors is damaged"):
        fit(run, CONFIG, resume=True)


def test_tensorboard_is_given_finite_numbers_alone(tmp_path: Path) -> None:
    class Writer:
        """Notes what it is given."""

        def __init__(self) -> None:
            self.given: dict[str, float] = {}

        def add_scalar(self, tag: str, value: float, step: int) -> None:
            self.given[tag] = value

    writer = Writer()
    record = {"kind": "train", "step": 3, "grad_norm": math.inf, "loss_nats": 1.5}
    events.Events(writer, tmp_path).add(record)
    assert writer.given == {"train/loss_nats": 1.5}


@pytest.mark.parametrize("when", ["add_scalar", "close"])
def test_events_that_cannot_be_written_are_told_in_one_line(tmp_path: Path, when: str) -> None:
    class Full:
        """Its disk is full."""

        def __getattr__(self, name: str) -> Callable[..., None]:
            def call(*arguments: object) -> None:
                if name == when:
                    raise OSError(28, "No space left on device")

            return call

    written = events.Events(Full(), tmp_path)
    write = {
        "add_scalar": lambda: written.add({"kind": "train", "step": 1, "loss_nats": 1.0}),
        "close": written.close,
    }[when]
    with pytest.raises(RunError, match=r"cannot write .*No space left on device"):
        write()


def test_half_precision_is_autocast_on_cuda_and_float32_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[str, torch.dtype]] = []
    on_cpu = torch.autocast

    def autocast(device: str, dtype: torch.dtype) -> Any:
        asked.append((device, dtype))
        return on_cpu("cpu", dtype)

    monkeypatch.setattr(torch, "autocast", autocast)
    monkeypatch.setattr(torch.amp, "GradScaler", lambda device: f"a scaler on {device}")
    cuda = torch.device("cuda")
    x = torch.ones(2, 2)
    for name, dtype in (("bfloat16", torch.bfloat16), ("float16", torch.float16)):
        with Precision(name, cuda).autocast():
            assert (x @ x).dtype == dtype
    with Precision("float32", cuda).autocast():
        assert (x @ x).dtype == torch.float32
    assert asked == [("cuda", torch.bfloat16), ("cuda", torch.float16)]
    names = ("float32", "bfloat16", "float16")
    scalers: list[object] = [Precision(name, cuda).scaler for name in names]
    assert scalers == [None, None, "a scaler on cuda"]  # bfloat16 has float32's range


@pytest.mark.parametrize("name", ["bfloat16", "float16"])
def test_half_precision_on_the_cpu_is_refused_for_a_run_too(tmp_path: Path, name: str) -> None:
    training = replace(CONFIG.training, precision=name)
    with pytest.raises(ConfigError, match=f"precision = '{name}': only CUDA has it"):
        fit(tmp_path / "run", Config(training=training))
    assert list(tmp_path.iterdir()) == []
