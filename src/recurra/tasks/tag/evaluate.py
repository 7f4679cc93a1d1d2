"""Tags found for sentences, their figures, and a run folder opened to find them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from recurra import store
from recurra.config import from_json
from recurra.data.padded import batches_by_length
from recurra.data.same import require_readable, require_same
from recurra.errors import ConfigError, DataError, RunError
from recurra.models.size import require_room
from recurra.models.tagger import Tagger, shapes
from recurra.results import Evaluation, counted
from recurra.tasks.tag import inventory, spans
from recurra.tasks.tag.answer import Tagged
from recurra.tasks.tag.config import Config, Evaluating, Input
from recurra.tasks.tag.data import Numbered, read_corpus, read_file
from recurra.tasks.tag.inventory import Inventory
from recurra.text import files
from recurra.text.conll import Sentence

AT_ONCE = 64  # sentences


def evaluate(folder: Path, names: Sequence[str], asked: Evaluating) -> Evaluation:
    """Accuracy, and span F1 where the tags are of spans, of the run in `folder` on a part.

    With `names`, on all sentences of those files instead. Raises DataError where there are none.
    """
    config, model, known = opened(folder)
    if names:
        found = [one for path in files.expand(names) for one in read_file(path, config.data)]
        split = f"all of {', '.join(names)}"
    else:
        found, split = _part(folder, config, asked.split)
    numbered = Numbered(found, known, lowercase=config.data.lowercase)
    tags = list(tagged(model, numbered))
    notes = broken(found, known.scheme)
    return Evaluation(
        figures(found, tags, known, lowercase=config.data.lowercase),
        split,
        int(numbered.lengths.sum()),
        notes,
        unit="word",
    )


def predict(folder: Path, inputs: Sequence[Input]) -> list[Tagged]:
    """A tag for each word, what stands between blanks; DataError for an input without one.

    Tags of spans are given by the rules of the run's scheme.
    """
    config, model, known = opened(folder)
    sentences = [Sentence(tuple(one.text.split()), ()) for one in inputs]
    for number, sentence in enumerate(sentences, start=1):
        if not sentence.words:
            raise DataError(f"input {number} has no word in it.")
    numbered = Numbered(sentences, known, lowercase=config.data.lowercase)
    answers = zip(sentences, tagged(model, numbered), strict=True)
    if known.scheme is None:
        return [Tagged(sentence.words, tuple(tags), None) for sentence, tags in answers]
    return [
        Tagged(
            sentence.words, tuple(spans.repaired(tags, known.scheme)[0]), tuple(spans.spans(tags))
        )
        for sentence, tags in answers
    ]


def opened(folder: Path) -> tuple[Config, Tagger, Inventory]:
    """The tagger of a run folder, dropout off, on the CPU; RunError where it is damaged."""
    record = store.read_record(folder)
    where = f"{folder / store.CONFIG}: config"
    try:
        config = from_json(Config, record.config, where)
        known = inventory.read(folder)
        sizes = (len(known.words), len(known.letters), len(known.tags))
        wanted = shapes(config.model, *sizes)
        require_room(wanted)
        weights = store.read_tensors(folder / store.MODEL, wanted)
    except ConfigError as error:
        raise RunError(f"{folder} cannot be opened: {error}") from error
    model = Tagger(config.model, *sizes, np.random.default_rng(0))
    model.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    return config, model.eval(), known


@torch.no_grad()
def tagged(model: Tagger, numbered: Numbered) -> Iterator[list[str]]:
    """The tags of each sentence, in their order."""
    device = model.projection["weight"].device
    symbols = numbered.known.tags.symbols
    found: dict[int, list[str]] = {}
    for rows in batches_by_length(numbered.lengths, AT_ONCE):
        sentences = numbered.batch(rows).to(device).sentences
        best = model.best(model(sentences), sentences.lengths).cpu().numpy()  # (T, B)
        for column, row in enumerate(rows.tolist()):
            ids = best[: numbered.lengths[row], column]
            found[row] = [symbols[tag] for tag in ids.tolist()]
    yield from (found[row] for row in range(len(found)))


def figures(
    true: Sequence[Sentence],
    found: Sequence[Sequence[str]],
    known: Inventory,
    *,
    lowercase: bool,
) -> dict[str, float]:
    """Shares of right tags, of all words and of those without an embedding of their own; span F1.

    Where the tags are of spans: precision, recall and F1 of all, and the F1 of each type.
    """
    right = np.array(
        [
            here == there
            for one, tags in zip(true, found, strict=True)
            for here, there in zip(one.tags, tags, strict=True)
        ]
    )
    words = (word.lower() if lowercase else word for one in true for word in one.words)
    rare = np.array([word not in known.words.ids for word in words])
    result = {"accuracy": float(right.mean())}
    if rare.any():
        result["accuracy_unknown_words"] = float(right[rare].mean())
        result["share_unknown_words"] = float(rare.mean())
    if known.scheme is None:
        return result
    total, each = spans.score([one.tags for one in true], found)
    result |= {
        "span_precision": total.precision,
        "span_recall": total.recall,
        "span_f1": total.f1,
    }
    return result | {f"span_f1_{kind}": one.f1 for kind, one in each.items() if one.true}


def broken(found: Sequence[Sentence], scheme: str | None) -> tuple[str, ...]:
    """A note where tags of these sentences break the run's scheme."""
    if scheme is None:
        return ()
    count = sum(len(spans.repaired(sentence.tags, scheme)[1]) for sentence in found)
    note = (
        f"{counted(count, 'tag')} against the rules of the {scheme} scheme: spans are read as "
        "conlleval reads them."
    )
    return (note,) if count else ()


def _part(folder: Path, config: Config, split: str) -> tuple[list[Sentence], str]:
    record = store.read_record(folder)
    require_readable(folder, record.given)
    corpus = read_corpus(config.data, record.given)
    require_same(folder, record.files, corpus.sources)
    if split == "auto":
        split = next(name for name in ("test", "valid", "train") if getattr(corpus, name))
    if split == "all":
        return [*corpus.train, *corpus.valid, *corpus.test], "all sentences"
    part = getattr(corpus, split)
    if not part:
        raise DataError(f"{folder} has no {split} part: nothing was held out for it.")
    return part, f"the {split} part"
