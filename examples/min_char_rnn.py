"""The lecture's program: a character model learns a text file, sampling as it goes.

    python examples/min_char_rnn.py input.txt [--iterations N]

Every 100 iterations it prints 200 characters of its own and the smoothed loss, in nats a chunk of
25 characters. It stops after N iterations, or at Ctrl-C.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from recurra.errors import RecurraError
from recurra.textbook import MinCharRNN

SAMPLE_LENGTH = 200  # characters


def learn(rnn: MinCharRNN, iterations: int | None) -> None:
    """Trains for that many iterations, or for ever, and prints what the model makes of it."""
    for iteration in count() if iterations is None else range(iterations):
        inputs, _ = rnn.chunk()
        report = iteration % 100 == 0
        if report:
            drawn = rnn.sample(rnn.h, inputs[0], SAMPLE_LENGTH, rnn.streams.sample)
            print(f"----\n{rnn.decode(drawn)}\n----")
        rnn.step()
        if report:
            print(f"iter {iteration}, loss: {rnn.smooth_loss:f}", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code: 0, also after Ctrl-C, and 2 where the text cannot be used."""
    parser = argparse.ArgumentParser(description="Learn a text file character by character.")
    parser.add_argument("file", type=Path, help="a plain text file, UTF-8")
    parser.add_argument("--iterations", type=int, help="chunks to learn; without it, until Ctrl-C")
    options = parser.parse_args(arguments)
    if options.iterations is not None and options.iterations < 1:
        parser.error(f"--iterations must be 1 or more but is {options.iterations}.")
    try:
        text = options.file.read_text(encoding="utf-8-sig")  # with or without a byte order mark
        rnn = MinCharRNN(text)
    except (OSError, UnicodeDecodeError, RecurraError) as error:
        print(f"{options.file}: {error}", file=sys.stderr)
        return 2
    print(f"data has {len(text)} characters, {len(rnn.vocabulary)} unique.")
    try:
        learn(rnn, options.iterations)
    except KeyboardInterrupt:
        print(f"\nstopped after {rnn.iteration} iterations, loss: {rnn.smooth_loss:f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
