"""The tagger: a padded batch is each sentence alone, letters matter, sizes are told beforehand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import Tensor

from recurra.errors import ConfigError
from recurra.models.tagger import Sentences, Tagger, TaggerSettings, shapes

SMALL = TaggerSettings(hidden_size=6, word_size=5, letter_size=3, letter_hidden=4, dropout=0.0)
WORDS, LETTERS, TAGS = 9, 7, 4


def _model(**changes: object) -> Tagger:
    settings = dataclasses.replace(SMALL, **changes)  # type: ignore[arg-type]
    return Tagger(settings, WORDS, LETTERS, TAGS, np.random.default_rng(0)).eval()


def _sentences() -> Sentences:
    """Lengths 5, 1 and 3; six different words of one to four letters."""
    rng = np.random.default_rng(1)

    def draw(high: int, shape: tuple[int, ...]) -> Tensor:
        return torch.from_numpy(rng.integers(0, high, shape))

    return Sentences(
        words=draw(WORDS, (5, 3)),
        lengths=torch.tensor([5, 1, 3]),
        letters=draw(LETTERS, (4, 6)),
        letter_lengths=torch.tensor([1, 4, 2, 3, 4, 1]),
        spelling=draw(6, (5, 3)),
    )


def _alone(all: Sentences, column: int) -> Sentences:
    """One sentence without padding; its words' letters without padding where they are alone."""
    length = int(all.lengths[column])
    one = slice(column, column + 1)
    return all._replace(
        words=all.words[:length, one], lengths=all.lengths[one], spelling=all.spelling[:length, one]
    )


@pytest.mark.parametrize("crf", [False, True])
@pytest.mark.parametrize("letter_hidden", [0, 4])
def test_a_padded_batch_is_each_sentence_alone(crf: bool, letter_hidden: int) -> None:
    model, batch = _model(crf=crf, letter_hidden=letter_hidden, num_layers=2), _sentences()
    tags = torch.randint(TAGS, (5, 3), generator=torch.Generator().manual_seed(2))
    scores = model(batch)
    best = model.best(scores, batch.lengths)
    nats: list[Tensor] = []
    for column, length in enumerate(batch.lengths.tolist()):
        one = _alone(batch, column)
        alone = model(one)
        # float32 sums over other batch sizes differ in their last bits
        torch.testing.assert_close(scores[:length, column], alone[:, 0], rtol=1e-5, atol=1e-6)
        here = model.best(alone, one.lengths)[:, 0]
        assert torch.equal(best[:length, column], here)
        nats.append(model.nats(alone, tags[:length, column : column + 1], one.lengths))
    together = model.nats(scores, tags, batch.lengths)
    torch.testing.assert_close(together, torch.stack(nats).sum(), rtol=1e-5, atol=1e-5)


def test_the_softmax_s_nats_are_those_of_cross_entropy_over_real_words() -> None:
    model, batch = _model(), _sentences()
    tags = torch.randint(TAGS, (5, 3), generator=torch.Generator().manual_seed(2))
    scores = model(batch)
    real = torch.arange(5)[:, None] < batch.lengths
    wanted = torch.nn.functional.cross_entropy(scores[real], tags[real], reduction="sum")
    torch.testing.assert_close(model.nats(scores, tags, batch.lengths), wanted)


def test_a_word_s_letters_change_its_scores_and_its_padding_does_not() -> None:
    model, batch = _model(), _sentences()
    scores = model(batch)
    letters = batch.letters.clone()
    letters[2:, 2] = 6  # past the two letters of the third word
    assert torch.equal(model(batch._replace(letters=letters)), scores)
    letters[0, int(batch.spelling[0, 0])] += 1
    letters %= LETTERS
    assert not torch.equal(model(batch._replace(letters=letters))[0, 0], scores[0, 0])


@pytest.mark.parametrize(
    "changes", [{}, {"crf": True}, {"letter_hidden": 0}, {"num_layers": 2, "cell": "gru"}]
)
def test_the_shapes_told_beforehand_are_those_of_the_weights(changes: dict[str, object]) -> None:
    model = _model(**changes)
    settings = dataclasses.replace(SMALL, **changes)  # type: ignore[arg-type]
    found = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    assert shapes(settings, WORDS, LETTERS, TAGS) == found


@pytest.mark.parametrize(
    ("setting", "value"),
    [("hidden_size", 0), ("letter_hidden", -1), ("dropout", 1.0), ("num_layers", 0)],
)
def test_sizes_that_cannot_be_are_refused(setting: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"{setting} = {value}"):
        TaggerSettings(**{setting: value})  # type: ignore[arg-type]
