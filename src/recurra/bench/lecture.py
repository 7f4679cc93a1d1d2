"""min-char-rnn a time step at a time, in plain NumPy: how the lecture's program spends its time.

`recurra.textbook.MinCharRNN` computes the same, in fewer and larger products.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from recurra.textbook import MinCharRNN

Array: TypeAlias = NDArray[np.float64]


class StepByStep(MinCharRNN):
    """A MinCharRNN whose every product is a matrix by a vector, or a vector by a vector."""

    def loss_and_gradients(
        self, inputs: Sequence[int], targets: Sequence[int], h_prev: Array
    ) -> tuple[float, dict[str, Array], Array]:
        """(loss in nats, gradients by name, last state), as `MinCharRNN` gives them."""
        w, loss = self.parameters, 0.0
        x, h, p = np.zeros((len(inputs), len(self.vocabulary))), [h_prev], []
        for t, (symbol, target) in enumerate(zip(inputs, targets, strict=True)):
            x[t, symbol] = 1
            h.append(np.tanh(w["Wxh"] @ x[t] + w["Whh"] @ h[t] + w["bh"]))
            scores = np.exp(w["Why"] @ h[t + 1] + w["by"])
            p.append(scores / scores.sum())
            loss -= float(np.log(p[t][target]))
        gradients = {name: np.zeros_like(value) for name, value in w.items()}
        dh_later = np.zeros_like(h_prev)
        for t in reversed(range(len(inputs))):
            dy = p[t]
            dy[targets[t]] -= 1
            gradients["Why"] += np.outer(dy, h[t + 1])
            gradients["by"] += dy
            dscores = (1 - h[t + 1] ** 2) * (w["Why"].T @ dy + dh_later)
            gradients["Wxh"] += np.outer(dscores, x[t])
            gradients["Whh"] += np.outer(dscores, h[t])
            gradients["bh"] += dscores
            dh_later = w["Whh"].T @ dscores
        return loss, gradients, h[-1]
