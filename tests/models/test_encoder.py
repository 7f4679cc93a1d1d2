"""The encoder: its weights, and that a padded batch is each sequence alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from recurra import cells
from recurra.data.padded import pad
from recurra.errors import ConfigError
from recurra.layers.pooling import KINDS
from recurra.models.encoder import Encoder, EncoderSettings, InputSize, expected_shapes, resolved

CLASSES, SYMBOLS, WIDTH = 3, 11, 4


def built(size: InputSize, seed: int = 0, **settings: Any) -> Encoder:
    asked = EncoderSettings(**{"hidden_size": 8, "dropout": 0.0, **settings})
    return Encoder(resolved(asked, size), size, CLASSES, np.random.default_rng(seed)).eval()


@pytest.mark.parametrize("cell", cells.names())
@pytest.mark.parametrize("pooling", KINDS)
@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("size", [InputSize(symbols=SYMBOLS), InputSize(width=WIDTH)])
def test_a_padded_batch_gives_each_sequence_the_logits_it_has_alone(
    cell: str, pooling: str, bidirectional: bool, size: InputSize
) -> None:
    model = built(size, cell=cell, pooling=pooling, bidirectional=bidirectional, num_layers=2)
    rng = np.random.default_rng(1)
    sequences = [
        rng.integers(0, SYMBOLS, length)
        if size.symbols
        else rng.normal(size=(length, WIDTH)).astype(np.float32)
        for length in (1, 9, 4, 17, 2)
    ]
    values, lengths = pad(sequences)
    # what stands in the padding must not matter either
    values[np.arange(len(values))[:, None] >= lengths] = 7
    with torch.no_grad():
        together = model(torch.from_numpy(values), torch.from_numpy(lengths))
        alone = [model(*(torch.from_numpy(part) for part in pad([one])))[0] for one in sequences]
    # float32: sums of a few dozen products of order one, in another order
    torch.testing.assert_close(together, torch.stack(alone), atol=3e-6, rtol=0)


@pytest.mark.parametrize("cell", cells.names())
@pytest.mark.parametrize("pooling", KINDS)
@pytest.mark.parametrize("size", [InputSize(symbols=SYMBOLS), InputSize(width=WIDTH)])
def test_the_weights_are_named_and_shaped_as_expected(
    cell: str, pooling: str, size: InputSize
) -> None:
    for settings in ({"num_layers": 2}, {"bidirectional": False}):
        model = built(size, cell=cell, pooling=pooling, **settings)
        found = {name: tuple(value.shape) for name, value in model.state_dict().items()}
        asked = EncoderSettings(cell=cell, pooling=pooling, hidden_size=8, **settings)
        assert found == expected_shapes(asked, size, CLASSES)


def test_the_logits_are_those_of_torch_with_the_same_weights() -> None:
    model = built(InputSize(symbols=SYMBOLS), pooling="mean", embedding_size=5)
    weights = model.state_dict()
    reference = torch.nn.LSTM(5, 8, bidirectional=True)
    for way in ("", "_reverse"):
        for name in ("weight_ih", "weight_hh"):
            getattr(reference, f"{name}_l0{way}").data = weights[f"recurrent.l0{way}.{name}"]
        getattr(reference, f"bias_ih_l0{way}").data = weights[f"recurrent.l0{way}.bias"]
        getattr(reference, f"bias_hh_l0{way}").data.zero_()
    ids = torch.from_numpy(np.random.default_rng(0).integers(0, SYMBOLS, (12, 6)))
    with torch.no_grad():
        outputs, _ = reference(weights["embedding.weight"][ids])
        expected = torch.nn.functional.linear(
            outputs.mean(0), weights["projection.weight"], weights["projection.bias"]
        )
        found = model(ids, torch.full((6,), 12))
    # float32 over 12 steps of 8 units
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_dropout_stands_on_the_embedding_and_before_the_projection_in_training_alone() -> None:
    model = built(InputSize(symbols=SYMBOLS), dropout=0.5)
    ids, lengths = torch.zeros((5, 2), dtype=torch.int64), torch.tensor([5, 5])
    plain = model(ids, lengths)
    assert torch.equal(plain, model(ids, lengths))
    model.train()
    with pytest.raises(ConfigError, match=r"dropout = 0\.5 needs a torch\.Generator"):
        model(ids, lengths)
    generator = torch.Generator().manual_seed(0)
    dropped = model(ids, lengths, generator)
    assert not torch.equal(dropped, plain)
    assert torch.equal(dropped, model(ids, lengths, generator.manual_seed(0)))


def test_token_dropout_reads_its_share_of_the_symbols_as_the_unknown_one_in_training_alone() -> (
    None
):
    size = InputSize(symbols=SYMBOLS, unknown=3)
    model = built(size, token_dropout=0.2, pooling="mean")
    with torch.no_grad():  # each symbol's embedding is its own number, and the stack passes it on
        model.embedding["weight"].copy_(torch.arange(SYMBOLS)[:, None].expand(-1, 8))
    ids, lengths = torch.full((100, 50), 7), torch.full((50,), 100)
    plain = model(ids, lengths)
    seen: list[torch.Tensor] = []
    model.recurrent.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    model.train()
    dropped = model(ids, lengths, torch.Generator().manual_seed(0))
    assert not torch.equal(dropped, plain)
    assert set(seen[0].flatten().tolist()) == {3.0, 7.0}
    # 5,000 draws: the standard deviation of the share is 0.0057; five of them
    assert abs(float((seen[0][..., 0] == 3).double().mean()) - 0.2) < 0.03
    assert torch.equal(dropped, model(ids, lengths, torch.Generator().manual_seed(0)))
    assert torch.equal(plain, model.eval()(ids, lengths))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pooling": "sum"}, "pooling = 'sum': must be one of last, mean, max, attention"),
        ({"hidden_size": 0}, "hidden_size = 0: must be 1 to 65536"),
        ({"embedding_size": 0}, "embedding_size = 0: must be 1 to 65536"),
        ({"num_layers": 65}, "num_layers = 65: must be 1 to 64"),
        ({"dropout": 1.0}, r"dropout = 1\.0: must be a probability"),
        ({"token_dropout": -0.1}, r"token_dropout = -0\.1: must be a probability"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        EncoderSettings(**settings)


def test_an_embedding_and_a_token_dropout_of_vectors_are_refused() -> None:
    with pytest.raises(ConfigError, match="embedding_size = 5: is of symbols"):
        resolved(EncoderSettings(embedding_size=5), InputSize(width=WIDTH))
    with pytest.raises(ConfigError, match=r"token_dropout = 0\.2: is of symbols"):
        resolved(EncoderSettings(token_dropout=0.2), InputSize(width=WIDTH))


def test_few_symbols_start_at_unit_size_and_many_start_small() -> None:
    for symbols, scale in ((256, 1.0), (257, 0.1)):
        weight = built(InputSize(symbols=symbols)).state_dict()["embedding.weight"]
        # 2,048 draws: a deviation is known to 1.6 %; five of them
        assert abs(float(weight.std()) / scale - 1) < 0.08
