"""Trains on a text and prints its own peak memory: `python memory.py FILE RUN`. By test_memory.py.

Without arguments: the peak after `import torch` alone, in bytes.
"""

from __future__ import annotations

import resource
import sys


def main(arguments: list[str]) -> None:
    """Prints the peak of this process's resident memory, in bytes."""
    import torch

    torch.set_num_threads(1)
    if arguments:
        import recurra

        text, run = arguments
        recurra.train(
            "lm",
            text,
            out=run,
            tokens="char",
            steps=3,
            batch_size=8,
            seq_len=32,
            hidden_size=16,
            sample_every=0,
            device="cpu",
        )
    unit = 1 if sys.platform == "darwin" else 1024  # what getrusage counts in
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)


if __name__ == "__main__":
    main(sys.argv[1:])
