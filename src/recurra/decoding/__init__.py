"""Greedy, sampled and beam decoding over any `step(ids, state) -> (log_probs, state)`, in NumPy.

Greedy is temperature 0. No models and no text here: see `recurra.runtime`.
"""

from __future__ import annotations

from recurra.decoding.beam import Hypothesis, beam_search
from recurra.decoding.filters import Filters
from recurra.decoding.sample import Drawn, sequences
from recurra.decoding.state import Step, take

__all__ = ["Drawn", "Filters", "Hypothesis", "Step", "beam_search", "sequences", "take"]
