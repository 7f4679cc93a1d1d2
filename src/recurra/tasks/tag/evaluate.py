"""Tags found for sentences, their figures, and a run folder opened to find them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from recurra import store
from recurra.config import from_json
from recurra.data.holdout import part_to_evaluate
from recurra.data.padded import batches_by_length
from recurra.data.same import require_own, require_same
from recurra.errors import ConfigError, DataError, RunError
from recurra.models.size import require_room
from recurra.models.tagger import Tagger, shapes
from recurra.results import Evaluation, counted
from recurra.task import InputForm, endings_of
from recurra.tasks.tag import inventory, spans
from recurra.tasks.tag.answer import Tagged
from recurra.tasks.tag.config import Config, Evaluating, Input
from recurra.tasks.tag.data import Numbered, read_corpus, read_file, repaired, told
from recurra.tasks.tag.inventory import Inventory
from recurra.text import conll, files
from recurra.text.conll import Sentence

AT_ONCE = 64  # sentences
MOST_TAGS = 5  # of those that training lacks, named in a note
ENDINGS = (".conll", ".conllu")  # of files that are in columns, whatever a run was trained on


def evaluate(folder: Path, names: Sequence[str], asked: Evaluating) -> Evaluation:
    """Accuracy, and span F1 where the tags are of spans, of the run in `folder` on a part.

    With `names`, on all sentences of those files instead. Tags of spans count as what they are by
    the run's scheme. Raises DataError where there are no sentences.
    """
    config, model, known = opened(folder)
    notes: tuple[str, ...] = ()
    if names:
        given = [one for path in files.expand(names) for one in read_file(path, config.data)]
        found, broken = repaired(given, known.scheme)
        split = f"all of {', '.join(names)}"
    else:
        found, broken, split, notes = _part(folder, config, asked.split)
    numbered = Numbered(found, known, lowercase=config.data.lowercase)
    tags = list(tagged(model, numbered))
    notes = (*notes, *unseen(found, known), *told(broken, known.scheme, "counted"))
    return Evaluation(
        figures(found, tags, known, lowercase=config.data.lowercase),
        split,
        int(numbered.lengths.sum()),
        notes,
        unit="word",
    )


def input_form(folder: Path) -> InputForm:
    """Column files are known by their ending: CoNLL's, and those of the run's own data."""
    record = store.read_record(folder)
    data = read_config(folder, record).data

    def read(path: Path) -> tuple[list[Any], int]:
        found = conll.words(path, data.word_column, data.encoding)
        return [list(words) for words in found], 0

    return InputForm(encoding=data.encoding, endings=ENDINGS + endings_of(record.files), read=read)


def predict(folder: Path, inputs: Sequence[Input | Sequence[str]]) -> list[Tagged]:
    """A tag for each word: of a text what stands between blanks, else the words as they are given.

    Tags of spans are given by the rules of the run's scheme. DataError for an input without a word.
    """
    config, model, known = opened(folder)
    sentences = [Sentence(_words(one, number), ()) for number, one in enumerate(inputs, start=1)]
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


def _words(given: Input | Sequence[str], number: int) -> tuple[str, ...]:
    words = given.text.split() if isinstance(given, Input) else given
    if not isinstance(words, list | tuple) or not all(isinstance(word, str) for word in words):
        raise DataError(f"input {number} is neither a text nor a list of words.")
    if not words or not all(words):
        what = "an empty word" if words else "no word"
        raise DataError(f"input {number} has {what} in it.")
    return tuple(words)


def opened(folder: Path) -> tuple[Config, Tagger, Inventory]:
    """The tagger of a run folder, dropout off, on the CPU; RunError where it is damaged."""
    try:
        config = read_config(folder, store.read_record(folder))
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


def read_config(folder: Path, record: store.RunRecord) -> Config:
    """The settings in the record of the run in `folder`; ConfigError where they are damaged."""
    return from_json(Config, record.config, f"{folder / store.CONFIG}: config")


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


def unseen(found: Sequence[Sentence], known: Inventory) -> tuple[str, ...]:
    """A note where words of these sentences have tags that could not be learned."""
    tags = [tag for one in found for tag in one.tags]
    counts = Counter(tag for tag in tags if tag not in known.tags.ids)
    if not counts:
        return ()
    some = [f"{tag} {count:,}" for tag, count in counts.most_common(MOST_TAGS)]
    more = ", …" if len(counts) > MOST_TAGS else ""
    one = counts.total() == 1
    return (
        f"{counts.total():,} of {counted(len(tags), 'word')} {'has' if one else 'have'} a tag that "
        f"was never learned, and {'counts as an error' if one else 'count as errors'} in the "
        f"accuracy: {', '.join(some)}{more}.",
    )


def _part(
    folder: Path, config: Config, split: str
) -> tuple[list[Sentence], int, str, tuple[str, ...]]:
    """The part's sentences, how many of their tags were repaired, its name, and notes."""
    record = store.read_record(folder)
    require_own(folder, record)
    corpus = read_corpus(config.data, record.given)
    require_same(folder, record.files, corpus.sources)
    there = [name for name in ("train", "valid", "test") if getattr(corpus, name)]
    split, notes = part_to_evaluate(split, there)
    if split == "all":
        every = [*corpus.train, *corpus.valid, *corpus.test]
        return every, sum(corpus.broken.values()), "all sentences", notes
    part = getattr(corpus, split)
    if not part:
        raise DataError(f"{folder} has no {split} part: nothing was held out for it.")
    return part, corpus.broken[split], f"the {split} part", notes
