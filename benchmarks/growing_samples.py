"""What a run wrote as it learned, measured: a Markdown page for docs/samples/.

    python benchmarks/growing_samples.py RUN > docs/samples/NAME.md

For each sample kept in the run's metrics.jsonl: the validation loss nearest before it, the share
of its words that occur in the training text, the share of its 16-character n-grams that stand
there, and the shares of braces, parentheses and LaTeX environments that are closed. One sample is
short; the last two rows are means over 50: drawn from the trained model, and pieces of the held-out
text of the same length, cut out anywhere, which is what real text scores with its ends cut off.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import fmean

import numpy as np

from recurra import rng, store
from recurra.cli.training_text import training_text
from recurra.runtime import LanguageModel, sampling
from recurra.runtime.report import balance, report
from recurra.tasks.lm.evaluate import split_tokens

PIECES = 50  # texts in each of the last two rows
TEMPERATURE = 0.8  # as the samples drawn while training
READING = f"""known words: the share of its words that stand in the training text · copied 16-grams:
the share of its stretches of 16 characters that stand there · braces, parentheses, environments:
the share of them that is closed, empty where it wrote none. A row of a step is one sample (below);
the last two are means over {PIECES} texts of its length, drawn from the trained model and cut out
of the held-out text anywhere. Samples are drawn at temperature {TEMPERATURE}."""
KINDS = ("braces", "parentheses", "environments")
COLUMNS = ("step", "valid nats", "known words", "copied 16-grams", *KINDS)


def row(name: str, nats: float | None, texts: Sequence[str], training: Iterable[str]) -> list[str]:
    """One line of the table: means over the texts."""
    found = report(texts, training)
    closed = [balance(text) for text in texts]
    shares = [
        [one[kind] for one in closed if kind in one]  # a text without any has no share
        for kind in KINDS
    ]
    return [
        name,
        "" if nats is None else f"{nats:.4f}",
        percent(found.known_words),
        percent(found.copied.get("characters_16")),
        *(percent(fmean(values) if values else None) for values in shares),
    ]


def percent(share: float | None) -> str:
    return "" if share is None else f"{share:.0%}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run", type=Path)
    folder: Path = parser.parse_args().run
    record, metrics = store.read_record(folder), store.read_metrics(folder)
    model = LanguageModel.open(folder)
    training = list(training_text(folder, model.tokenizer))
    samples = [item for item in metrics if item["kind"] == "sample"]
    validations = [item for item in metrics if item["kind"] == "validation"]
    rows = []
    for sample in samples:
        before = [item["score"] for item in validations if item["step"] <= sample["step"]]
        nats = before[-1] if before else None
        rows.append(row(f"{sample['step']:,}", nats, [sample["text"]], training))
    held_out, part, _ = split_tokens(folder, (), "auto")
    length = record.config["data"]["sample_length"]
    drawn = sampling.sample(model, length=length, temperature=TEMPERATURE, count=PIECES, seed=0)
    rows.append(row("the trained model", None, [one.text for one in drawn], training))
    starts = rng.generator(0, "pieces").integers(0, max(1, len(held_out) - length), PIECES)
    pieces = [
        model.tokenizer.decode(np.asarray(held_out[start : start + length])) for start in starts
    ]
    rows.append(row(f"{part}, as it is", None, pieces, training))
    print(f"# {folder.name}: what it wrote as it learned\n\n```\n{record.command}\n```\n")
    for file in record.files:
        print(f"Data: {file['name']}, {file['bytes']:,} bytes, SHA-256 `{file['sha256']}`.\n")
    print("|", " | ".join(COLUMNS), "|")
    print("|", " | ".join("---:" for _ in COLUMNS), "|")
    for cells in rows:
        print("|", " | ".join(cells), "|")
    print(f"\n{READING}")
    for sample in samples:
        print(f"\n## Step {sample['step']:,}\n\n````text\n{sample['text']}\n````")


if __name__ == "__main__":
    main()
