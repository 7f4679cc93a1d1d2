"""The lecture's min-char-rnn as one class: a vanilla character model, every gradient by hand.

    h_t = tanh(Wxh x_t + Whh h_{t−1} + bh)    p_t = softmax(Why h_t + by)
    loss = − Σ log p_t[target_t]

One text, read in chunks of T = seq_length characters; the gradient flows through one chunk, the
state through all of them. Shapes: x (T, V) one-hot, h (T, H), p (T, V). No batches, no files and
no training loop: examples/min_char_rnn.py is the program around it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recurra.errors import DataError, ShapeError
from recurra.rng import Streams, draw
from recurra.shapes import check_shape
from recurra.textbook._checks import Array, Gradients, check_positive
from recurra.textbook.output import one_hot


class MinCharRNN:
    """A vanilla recurrent network that learns to continue `text` character by character.

    Trains by truncated back-propagation through time with Adagrad; each `step` learns one chunk.
    Weights start at .01 · N(0, 1) from `seed`, biases and the state h (H,) at 0. Raises DataError
    for a text of fewer than two characters, ConfigError for a size or rate that is not positive.
    """

    def __init__(
        self,
        text: str,
        hidden_size: int = 100,
        seq_length: int = 25,
        learning_rate: float = 0.1,
        seed: int = 0,
    ) -> None:
        if len(text) < 2:
            raise DataError(f"the text must have two characters or more but has {len(text)}.")
        check_positive({"hidden_size": hidden_size, "seq_length": seq_length})
        check_positive({"learning_rate": learning_rate})
        self.vocabulary = sorted(set(text))  # a set's own order differs from run to run
        self.char_to_ix = {char: ix for ix, char in enumerate(self.vocabulary)}
        self.data = self.encode(text)
        self.seq_length = seq_length
        self.learning_rate = learning_rate
        self.streams = Streams(seed)
        V, H = len(self.vocabulary), hidden_size
        shapes = {"Wxh": (H, V), "Whh": (H, H), "Why": (V, H)}
        self.parameters: dict[str, Array] = {
            name: self.streams.init.standard_normal(shape) * 0.01 for name, shape in shapes.items()
        } | {"bh": np.zeros(H), "by": np.zeros(V)}
        self.memory = {name: np.zeros_like(value) for name, value in self.parameters.items()}
        self.h = np.zeros(H)  # the state carried from chunk to chunk
        self.position = 0  # of the next chunk's first character
        self.iteration = 0  # chunks learned
        self.smooth_loss = float(seq_length * np.log(V))  # nats a chunk of seq_length characters

    def encode(self, text: str) -> list[int]:
        """The index of each character; DataError for one the vocabulary does not have."""
        if unseen := sorted(set(text) - set(self.char_to_ix)):
            raise DataError(f"the training text has no {', '.join(map(repr, unseen))}.")
        return [self.char_to_ix[char] for char in text]

    def decode(self, indices: Sequence[int]) -> str:
        """The text that the indices stand for."""
        return "".join(self.vocabulary[ix] for ix in indices)

    def chunk(self) -> tuple[list[int], list[int]]:
        """(inputs, targets) of the next `step`: seq_length of each, fewer where the text ends."""
        end = min(self.position + self.seq_length, len(self.data) - 1)
        return self.data[self.position : end], self.data[self.position + 1 : end + 1]

    def forward(self, inputs: Sequence[int], h_prev: Array) -> tuple[Array, Array, Array]:
        """(x (T, V), h (T, H), log_p (T, V)): one-hot inputs, states and log-probabilities.

        inputs: T indices, one or more; h_prev: (H,), the state before the first. Raises ShapeError
        or DataError where they do not fit the network.
        """
        if not inputs:
            raise ShapeError("inputs must hold at least one index but is empty.")
        w, T, (H, V) = self.parameters, len(inputs), self.parameters["Wxh"].shape
        check_shape("h_prev", h_prev, (H,))
        x = one_hot(np.array(inputs), V).T  # row t is 1 at inputs[t]
        h = np.zeros((T, H))
        for t in range(T):
            h_prev = h[t] = np.tanh(w["Wxh"] @ x[t] + w["Whh"] @ h_prev + w["bh"])
        scores = h @ w["Why"].T + w["by"]  # (T, V)
        scores -= scores.max(axis=1, keepdims=True)  # the same p, and exp cannot overflow
        return x, h, scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))

    def loss_and_gradients(
        self, inputs: Sequence[int], targets: Sequence[int], h_prev: Array
    ) -> tuple[float, Gradients, Array]:
        """(loss, gradients, last state (H,)): forward and back through time; changes nothing.

        The loss is summed over the chunk, in nats; the gradients carry their parameters' names and
        are not cut. inputs, targets: T indices each; h_prev: (H,).
        """
        if len(inputs) != len(targets):
            raise ShapeError(f"{len(inputs)} inputs need as many targets but got {len(targets)}.")
        x, h, log_p = self.forward(inputs, h_prev)
        w = self.parameters
        truth = one_hot(np.array(targets), len(self.vocabulary)).T  # (T, V)
        loss = -(truth * log_p).sum()
        dy = np.exp(log_p) - truth  # the gradient by the scores, through softmax and loss at once
        dscores = np.zeros_like(h)  # by the argument of tanh
        dh_later = np.zeros_like(h_prev)
        for t in reversed(range(len(inputs))):
            dh = w["Why"].T @ dy[t] + dh_later
            dscores[t] = (1 - h[t] ** 2) * dh  # tanh' = 1 − tanh²
            dh_later = w["Whh"].T @ dscores[t]
        h_before = np.vstack([h_prev, h[:-1]])  # (T, H)
        gradients = {
            "Wxh": dscores.T @ x,
            "Whh": dscores.T @ h_before,
            "Why": dy.T @ h,
            "bh": dscores.sum(axis=0),
            "by": dy.sum(axis=0),
        }
        return float(loss), gradients, h[-1]

    def step(self) -> float:
        """The loss in nats of the next chunk, summed, before the network learned it.

        Every character after the first is predicted once a pass. The last chunk of a pass is as
        long as what is left; after it the reading starts over with a zero state. `smooth_loss`
        moves by .001 towards the loss, a shorter chunk's scaled to seq_length characters.
        """
        inputs, targets = self.chunk()
        loss, gradients, self.h = self.loss_and_gradients(inputs, targets, self.h)
        per_chunk = loss * self.seq_length / len(inputs)
        self.smooth_loss = 0.999 * self.smooth_loss + 0.001 * per_chunk
        for name, gradient in gradients.items():
            clipped = np.clip(gradient, -5, 5)
            self.memory[name] += clipped**2
            rate = self.learning_rate / np.sqrt(self.memory[name] + 1e-8)  # Adagrad (duchi2011)
            self.parameters[name] -= rate * clipped
        self.iteration += 1
        self.position += len(inputs)
        if self.position == len(self.data) - 1:
            self.position = 0
            self.h = np.zeros_like(self.h)
        return loss

    def sample(
        self, h: Array, seed_ix: int, n: int, generator: np.random.Generator | None = None
    ) -> list[int]:
        """n indices that follow seed_ix from the state h (H,).

        Drawn with `generator`; None takes the most probable. Neither h nor anything that training
        uses changes.
        """
        indices = [seed_ix]
        for _ in range(n):
            _, states, log_p = self.forward(indices[-1:], h)
            h, p = states[-1], np.exp(log_p[-1])
            indices.append(int(p.argmax()) if generator is None else draw(p, generator.random()))
        return indices[1:]
