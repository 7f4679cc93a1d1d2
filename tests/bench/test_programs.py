"""Training, sampling and textbook: both sides compute the same, at sizes that take no time."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch

from recurra import rng
from recurra.bench import onnx_step, plain, sampling, textbook, training
from recurra.bench.ids import ALPHABET, VOCAB_SIZE, text_like
from recurra.bench.lecture import StepByStep
from recurra.bench.sampling import ONNX, THEIRS
from recurra.bench.training import Setting
from recurra.errors import DisagreementError
from recurra.textbook import MinCharRNN

SMALL = Setting(layers=2, hidden=8, batch=3, steps=5)


@pytest.fixture
def model() -> plain.PlainModel:
    return plain.PlainModel(training.language_model(8, 2))


def test_a_training_step_is_the_plain_trainers_before_it_is_timed() -> None:
    built = training.case(SMALL).build()
    assert "losses of 50 steps" in built.same
    assert (built.unit, built.tokens) == ("step", 15)


def test_a_trainer_with_another_loss_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    step = plain.PlainTrainer.step
    monkeypatch.setattr(plain.PlainTrainer, "step", lambda self: step(self) + 0.002)
    with pytest.raises(DisagreementError, match="the plain PyTorch trainer and recurra do not"):
        training.case(SMALL).build()


def test_the_settings_of_the_record_are_those_of_the_issue() -> None:
    assert [one.name for one in training.cases()] == [
        "training step 2x128 LSTM, V=65 B=50 T=50",
        "training step 1x512 LSTM, V=65 B=64 T=64",
    ]


def test_the_plain_trainer_takes_adams_step_on_clipped_gradients() -> None:
    # Adam's first step is its rate against the sign of the gradient, whatever the clipping.
    model = plain.PlainModel(training.language_model(4, 1))
    before = model.projection.bias.detach().clone()
    trainer = plain.PlainTrainer(model, text_like(2 * 3 + 1), 2, 3, rate=0.01, norm=1e-3)
    trainer.step()
    moved = (model.projection.bias.detach() - before).abs()
    assert torch.allclose(moved, torch.full_like(moved, 0.01), rtol=0.05)
    total = sum(float(p.grad.square().sum()) for p in model.parameters() if p.grad is not None)
    assert total**0.5 == pytest.approx(1e-3, rel=1e-3)


@pytest.mark.parametrize("int8", [False, True])
def test_drawing_is_compared_with_the_plain_loop_of_the_same_weights(int8: bool) -> None:
    built = sampling.case(2, 8, int8=int8).build()
    assert THEIRS in built.theirs
    assert (built.unit, built.units, built.block_seconds) == ("symbol", sampling.DRAWN, 0.3)


def test_a_network_of_other_weights_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "_round", lambda network: None)  # ours is rounded, theirs not
    with pytest.raises(DisagreementError, match="plain PyTorch and recurra do not compute the"):
        sampling.case(2, 8, int8=True).build()


def test_without_onnxruntime_one_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_step, "find_spec", lambda name: None)
    built = sampling.case(1, 8, int8=False).build()
    assert list(built.theirs) == [THEIRS]
    assert built.left_out == (
        "onnxruntime is not compared: onnx and onnxruntime not installed "
        '(pip install "recurra[bench]")'
    )


def test_the_onnx_step_has_the_plain_models_nats(model: plain.PlainModel) -> None:
    pytest.importorskip("onnx", reason="onnx is not installed")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    ids = text_like(31).astype(np.int64)
    found = onnx_step.OnnxStep(model).nats(ids[:-1].tolist(), ids[1:].tolist())
    # float32 sums over 8 units, 30 steps of a state that forgets: a few units in the last place
    np.testing.assert_allclose(found, model.nats(ids), atol=1e-5)
    assert list(sampling.case(1, 8, int8=False).build().theirs) == [THEIRS, ONNX]


def test_the_plain_models_nats_are_its_equations(model: plain.PlainModel) -> None:
    weights = {n: v.detach().double().numpy() for n, v in model.state_dict().items()}
    ids, nats = text_like(6).astype(np.int64), []
    h, c = np.zeros((2, 8)), np.zeros((2, 8))
    for symbol, target in itertools.pairwise(ids):
        x = weights["embedding.weight"][symbol]
        for depth in range(2):
            w = {part: weights[f"lstm.{part}_l{depth}"] for part in ("weight_ih", "weight_hh")}
            bias = weights[f"lstm.bias_ih_l{depth}"] + weights[f"lstm.bias_hh_l{depth}"]
            i, f, g, o = np.split(w["weight_ih"] @ x + w["weight_hh"] @ h[depth] + bias, 4)
            c[depth] = c[depth] / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
            h[depth] = x = np.tanh(c[depth]) / (1 + np.exp(-o))
        logits = weights["projection.weight"] @ x + weights["projection.bias"]
        nats.append(np.log(np.exp(logits).sum()) - logits[target])
    np.testing.assert_allclose(model.nats(ids), nats, atol=1e-5)  # float32


def test_the_lecture_step_by_step_has_the_textbooks_loss_and_gradients() -> None:
    slow, fast = (kind("hello world", 6, 4) for kind in (StepByStep, MinCharRNN))
    generator = rng.generator(0, "test")
    state = generator.standard_normal(6)
    inputs, targets = slow.chunk()
    loss, gradients, last = slow.loss_and_gradients(inputs, targets, state)
    expected, their_gradients, their_last = fast.loss_and_gradients(inputs, targets, state)
    assert loss == pytest.approx(expected, rel=1e-12)  # float64, sums in another order
    np.testing.assert_allclose(last, their_last, atol=1e-12)
    for name, gradient in gradients.items():
        np.testing.assert_allclose(gradient, their_gradients[name], atol=1e-12)


def test_an_iteration_of_min_char_rnn_has_the_losses_of_both_numpy_programs() -> None:
    built = textbook.case(8, 5).build()
    assert list(built.theirs) == [textbook.STEPS, textbook.TEXTBOOK]
    assert (built.unit, built.tokens) == ("iteration", 5)


def test_a_numpy_program_with_another_loss_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(self: Any, *given: Any) -> Any:
        loss, gradients, last = MinCharRNN.loss_and_gradients(self, *given)
        return loss, {name: -gradient for name, gradient in gradients.items()}, last

    monkeypatch.setattr(StepByStep, "loss_and_gradients", wrong)
    with pytest.raises(DisagreementError, match="NumPy step by step and recurra do not compute"):
        textbook.case(8, 5).build()


def test_symbols_are_the_same_every_time_and_frequent_ones_come_often() -> None:
    ids = text_like(10_000)
    assert (ids == text_like(10_000)).all()
    counts = np.bincount(ids, minlength=VOCAB_SIZE)
    assert len(set(ALPHABET)) == VOCAB_SIZE == len(counts)
    assert counts[0] / counts[1] == pytest.approx(2, rel=0.15)  # four standard errors
