"""Linear-chain conditional random field (lafferty2001) over the scores that a network gives tags.

What a tag means, and which may follow which, is learned: nothing is forbidden here.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from recurra.config import require
from recurra.errors import ShapeError
from recurra.shapes import check_shape


class ConditionalRandomField(nn.Module):
    """p(tags | x) = exp(score(tags)) / Σ over all tag sequences of exp(score), with

        score(y) = start[y_1] + Σ_t emissions[t, y_t] + Σ_t transitions[y_t−1, y_t] + end[y_T]

    `start` (K,), `transitions` (K, K) from row to column and `end` (K,) begin at zero, where the
    tags of a sequence are independent. Raises ConfigError for fewer than one tag.
    """

    def __init__(self, tags: int) -> None:
        super().__init__()
        require(tags >= 1, "tags", tags, "must be 1 or more")
        self.start = nn.Parameter(torch.zeros(tags))
        self.transitions = nn.Parameter(torch.zeros(tags, tags))
        self.end = nn.Parameter(torch.zeros(tags))

    def nats(self, emissions: Tensor, tags: Tensor, lengths: Tensor) -> Tensor:
        """−ln p(tags | x) of each sequence, (B,).

        emissions (T, B, K), tags (T, B) int64 (anything within K where it is padding), lengths
        (B,) int64, 1 to T. Raises ShapeError naming both shapes.
        """
        self._check(emissions, lengths)
        check_shape("tags", tags, tuple(emissions.shape[:2]))
        return self.log_partition(emissions, lengths) - self._score(emissions, tags, lengths)

    def log_partition(self, emissions: Tensor, lengths: Tensor) -> Tensor:
        """ln Σ over all tag sequences of exp(score), (B,): the forward algorithm."""
        self._check(emissions, lengths)
        total = self.start + emissions[0]  # (B, K): of all ways that end in a tag
        for t in range(1, len(emissions)):
            onward = (total[:, :, None] + self.transitions).logsumexp(dim=1) + emissions[t]
            total = torch.where((t < lengths)[:, None], onward, total)
        return (total + self.end).logsumexp(dim=1)

    @torch.no_grad()
    def best(self, emissions: Tensor, lengths: Tensor) -> Tensor:
        """The likeliest tags (T, B) of each sequence, 0 past its end: Viterbi (viterbi1967)."""
        self._check(emissions, lengths)
        steps, batch, tags = emissions.shape
        total = self.start + emissions[0]  # (B, K): of the best way that ends in a tag
        # a step past a sequence's end leads from each tag to itself
        stay = torch.arange(tags, device=emissions.device).expand(batch, tags)
        came_from = []
        for t in range(1, steps):
            onward, before = (total[:, :, None] + self.transitions).max(dim=1)  # (B, K) each
            real = (t < lengths)[:, None]
            total = torch.where(real, onward + emissions[t], total)
            came_from.append(torch.where(real, before, stay))
        tag = (total + self.end).argmax(dim=1)  # (B,)
        found = [tag]
        for before in reversed(came_from):
            tag = before.gather(1, tag[:, None])[:, 0]
            found.append(tag)
        path = torch.stack(found[::-1])  # (T, B)
        real = torch.arange(steps, device=lengths.device)[:, None] < lengths
        return path * real

    def _score(self, emissions: Tensor, tags: Tensor, lengths: Tensor) -> Tensor:
        """The score of these tags, (B,)."""
        real = torch.arange(len(tags), device=tags.device)[:, None] < lengths  # (T, B)
        emitted = emissions.gather(2, tags[..., None])[..., 0]  # (T, B)
        # What a field's own number gets from each token is the same: threads that add these up in
        # the order in which they come change no bit.
        moved = self.transitions[tags[:-1], tags[1:]]  # (T − 1, B)
        last = tags.gather(0, (lengths - 1)[None])[0]  # (B,)
        inner = (emitted * real).sum(0) + (moved * real[1:]).sum(0)
        return self.start[tags[0]] + inner + self.end[last]

    def _check(self, emissions: Tensor, lengths: Tensor) -> None:
        check_shape("emissions", emissions, ("T", "B", len(self.start)))
        check_shape("lengths", lengths, (emissions.shape[1],))
        low, high = int(lengths.min()), int(lengths.max())
        if low < 1 or high > len(emissions):
            raise ShapeError(
                f"lengths must be 1 to T={len(emissions)} but reach from {low} to {high}."
            )
