"""The n-gram that stands beside a recurrent model: interpolated Kneser-Ney, counted here.

    python benchmarks/ngram.py TRAIN TEST [--order 5] [--min-count 2]
    python benchmarks/ngram.py --names LIST [--order 4] [--part valid]

Tokens are as `recurra train lm --tokens word` has them: white space apart, a line's end is <eos>,
words rarer than --min-count in TRAIN are <unk>; perplexity counts every token of TEST, <eos> and
<unk> with them, and histories cross line ends as the recurrent model's state does. Discounts are
ney1994's n1 / (n1 + 2 n2), one an order; lower orders count distinct predecessors (kneser1995);
below the unigram stands the uniform distribution.

With --names the tokens are the characters of each name and its stop symbol, histories begin anew
with every name, and LIST is split as `recurra train names LIST` splits it by default.
"""

from __future__ import annotations

import argparse
import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

EOS, UNKNOWN = "<eos>", "<unk>"
START, END = "<start>", "<end>"  # of a name
Gram = tuple[str, ...]


def tokens(lines: Iterable[str]) -> list[str]:
    """The words of the lines, each line followed by <eos>."""
    return [word for line in lines for word in (*line.split(), EOS)]


class KneserNey:
    """p(word | history) of interpolated Kneser-Ney over a closed vocabulary."""

    def __init__(self, train: Sequence[str], order: int) -> None:
        highest = Counter(tuple(train[i : i + order]) for i in range(len(train) - order + 1))
        self._count(highest, order, {*train, UNKNOWN})

    @classmethod
    def of_names(cls, names: Sequence[str], order: int, characters: set[str]) -> KneserNey:
        """Over characters and END, each name by itself after order − 1 times START."""
        padded = ([START] * (order - 1) + [*name, END] for name in names)
        highest = Counter(
            tuple(one[i : i + order]) for one in padded for i in range(len(one) - order + 1)
        )
        model = cls.__new__(cls)
        model._count(highest, order, {*characters, END})
        return model

    def _count(self, highest: Counter[Gram], order: int, vocabulary: set[str]) -> None:
        self.order = order
        self.vocabulary = vocabulary
        self.counts: list[Counter[Gram]] = [highest]  # from the highest order down
        for _ in range(order - 1):
            self.counts.append(Counter(gram[1:] for gram in self.counts[-1]))
        self.counts.reverse()  # counts[n - 1] are those of n-grams
        self.discounts = [_discount(counts) for counts in self.counts]
        self.totals: list[Counter[Gram]] = []  # of a history: the sum of its n-grams' counts
        self.followers: list[Counter[Gram]] = []  # and how many different words follow it
        for counts in self.counts:
            totals: Counter[Gram] = Counter()
            followers: Counter[Gram] = Counter()
            for gram, count in counts.items():
                totals[gram[:-1]] += count
                followers[gram[:-1]] += 1
            self.totals.append(totals)
            self.followers.append(followers)

    def probability(self, word: str, history: Gram) -> float:
        """p(word | history), the history at most order − 1 words long."""
        p = 1 / len(self.vocabulary)
        for n in range(1, len(history) + 2):
            context = history[len(history) - n + 1 :]
            total = self.totals[n - 1][context]
            if not total:
                return p
            discount = self.discounts[n - 1]
            seen = max(self.counts[n - 1][(*context, word)] - discount, 0.0)
            p = (seen + discount * self.followers[n - 1][context] * p) / total
        return p

    def perplexity(self, text: Sequence[str]) -> float:
        """exp of the mean −ln p of every token, histories running on."""
        nats = [
            -math.log(self.probability(word, tuple(text[max(0, i - self.order + 1) : i])))
            for i, word in enumerate(text)
        ]
        return math.exp(math.fsum(nats) / len(nats))

    def nats_of_names(self, names: Sequence[str]) -> float:
        """The mean −ln p of every character and END."""
        nats = []
        for name in names:
            one = [START] * (self.order - 1) + [*name, END]
            nats += [
                -math.log(self.probability(one[i], tuple(one[i - self.order + 1 : i])))
                for i in range(self.order - 1, len(one))
            ]
        return math.fsum(nats) / len(nats)


def _discount(counts: Counter[Gram]) -> float:
    of_counts = Counter(counts.values())
    return of_counts[1] / (of_counts[1] + 2 * of_counts[2]) if of_counts[1] else 0.5


def with_unknown(words: Sequence[str], known: set[str]) -> list[str]:
    """The words, those not known replaced by <unk>."""
    return [word if word in known else UNKNOWN for word in words]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("train", type=Path, nargs="?")
    parser.add_argument("test", type=Path, nargs="?")
    parser.add_argument("--names", metavar="LIST")
    parser.add_argument("--part", choices=("valid", "test"), default="valid")
    parser.add_argument("--order", type=int, default=5)
    parser.add_argument("--min-count", type=int, default=2)
    asked = parser.parse_args()
    if (asked.names is None) == (asked.test is None):
        parser.error("give TRAIN and TEST, or --names LIST")
    print(json.dumps(over_names(asked) if asked.names else over_words(asked)))


def over_names(asked: argparse.Namespace) -> dict[str, float]:
    """The figures of an n-gram over the characters of names."""
    from recurra.data.name_list import NameData, read

    found = read(NameData(), [asked.names])
    held = found.split(NameData())
    train, part = (
        [found.names[row] for row in rows] for rows in (held.train, getattr(held, asked.part))
    )
    model = KneserNey.of_names(train, asked.order, set("".join(found.names)))
    return {
        "order": asked.order,
        "names": len(part),
        "vocabulary": len(model.vocabulary),
        "nats_per_token_with_stop": round(model.nats_of_names(part), 4),
    }


def over_words(asked: argparse.Namespace) -> dict[str, float]:
    """The figures of an n-gram over the words of a text."""
    train, test = (
        tokens(path.read_text(encoding="utf-8").splitlines()) for path in (asked.train, asked.test)
    )
    counted: defaultdict[str, int] = defaultdict(int)
    for word in train:
        counted[word] += 1
    known = {word for word, count in counted.items() if count >= asked.min_count}
    model = KneserNey(with_unknown(train, known), asked.order)
    test = with_unknown(test, known)
    return {
        "order": asked.order,
        "vocabulary": len(model.vocabulary),
        "test_tokens": len(test),
        "unknown_share": round(test.count(UNKNOWN) / len(test), 5),
        "perplexity": round(model.perplexity(test), 3),
    }


if __name__ == "__main__":
    main()
