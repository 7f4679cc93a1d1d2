"""The runtime gives what the torch stack and a projection give, on the same weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from recurra import cells
from recurra.layers.stack import Stack
from recurra.runtime import LanguageModel, NetworkSettings, expected_shapes
from recurra.text.tokenizers import fit

# Float32 on both sides, sums in another order: some ulp of logits below 3, grown over 12 steps.
FLOAT32 = 1e-6


@pytest.mark.parametrize(
    "asked",
    [{"embedding_size": 0}, {"embedding_size": 5}, {"embedding_size": 0, "learned_state": True}],
    ids=str,
)
@pytest.mark.parametrize("name", cells.names())
def test_the_runtime_is_the_torch_stack_and_its_projection(
    name: str, asked: dict[str, Any], random_weights: Callable[..., Any]
) -> None:
    settings = NetworkSettings(cell=name, hidden_size=9, num_layers=2, **asked)
    weights = random_weights(settings, 11)
    model = LanguageModel(settings, fit("char", ["\nabcdefghij"]), weights)
    tensors = {key: torch.from_numpy(value) for key, value in weights.items()}
    embedding = tensors.get("embedding.weight")
    stack = Stack(
        cells.load(name),
        11 if embedding is None else 5,
        9,
        num_layers=2,
        learned_state=settings.learned_state,
    )
    prefix = "recurrent."
    stack.load_state_dict(
        {key.removeprefix(prefix): t for key, t in tensors.items() if key.startswith(prefix)}
    )
    ids = np.random.default_rng(0).integers(0, 11, (13, 3))
    with torch.no_grad():
        outputs, _ = stack.forward_ids(torch.from_numpy(ids[:-1]), embedding)
        logits = outputs @ tensors["projection.weight"].T + tensors["projection.bias"]
        log_probs = logits.double().log_softmax(dim=-1).numpy()  # (T, B, V)
    expected = -np.take_along_axis(log_probs, ids[1:, :, None], axis=2)[..., 0]
    nats, _ = model.nats(ids[:-1], ids[1:], model.initial_state(3))
    np.testing.assert_allclose(nats, expected, atol=FLOAT32)
    last, _ = model.read(ids[:-1], model.initial_state(3))
    np.testing.assert_allclose(last, log_probs[-1], atol=FLOAT32)


def test_the_torch_language_model_has_exactly_the_expected_weights() -> None:
    from recurra.models.language_model import LanguageModel as TorchModel
    from recurra.models.language_model import arrays

    for tied in (False, True):
        settings = NetworkSettings(
            hidden_size=6, num_layers=2, embedding_size=6, tied=tied, learned_state=True
        )
        module = TorchModel(settings, 11, np.random.default_rng(0))
        found = {name: array.shape for name, array in arrays(module).items()}
        assert found == expected_shapes(settings, 11)
