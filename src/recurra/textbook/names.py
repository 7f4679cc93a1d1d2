"""The notes' program that learns names character by character and invents new ones.

A vanilla network reads a name from a first input of zeros to its newline, one name a step of
gradient descent. It is the cell of rnn.py (m = 1) under the loss of output.py, and every drawn
number comes from NumPy's legacy generator, so that the trace published with the program comes out
as printed. No global random state is touched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from recurra.errors import DataError, ShapeError
from recurra.textbook._checks import Array, Gradients, Parameters, check_positive
from recurra.textbook.output import cross_entropy, one_hot, output_backward
from recurra.textbook.rnn import rnn_backward, rnn_cell_forward, rnn_forward

LONGEST_NAME = 50  # symbols drawn before a name is cut


@dataclass(frozen=True)
class NamesReport:
    """Where training stands: smoothed loss in nats, and newly invented names."""

    iteration: int
    loss_nats: float
    names: tuple[str, ...]

    def __str__(self) -> str:
        heading = f"Iteration: {self.iteration}, Loss: {self.loss_nats:f}"
        return "\n".join([heading, "", *self.names, ""])


def clip(gradients: Mapping[str, Array], max_value: float) -> Gradients:
    """The gradients with every value cut to ± max_value; the originals stay as they are."""
    return {name: np.clip(value, -max_value, max_value) for name, value in gradients.items()}


def sample(parameters: Parameters, char_to_ix: Mapping[str, int], seed: int) -> list[int]:
    """The symbols of one invented name; the last one is the newline, and only that one is.

    The generator is seeded anew at every character, with seed, seed + 2, seed + 4, … (the notes add
    a counter to a seed that both grow). A name of 50 symbols is cut there. The notes append a
    newline then even if the 50th symbol is one; here a name never ends in two.
    """
    newline = char_to_ix["\n"]
    xt, a = np.zeros((len(char_to_ix), 1)), np.zeros((len(parameters["Waa"]), 1))
    indices: list[int] = []
    while len(indices) < LONGEST_NAME and newline not in indices[-1:]:
        a, y_pred, _ = rnn_cell_forward(xt, a, parameters)
        legacy = np.random.RandomState(seed + 2 * len(indices))
        indices.append(int(legacy.choice(len(y_pred), p=y_pred.ravel())))
        xt = one_hot(np.array(indices[-1:]), len(char_to_ix))
    return indices if indices[-1] == newline else [*indices, newline]


def optimize(
    X: Sequence[int | None],
    Y: Sequence[int],
    a_prev: Array,
    parameters: dict[str, Array],
    learning_rate: float = 0.01,
) -> tuple[float, Gradients, Array]:
    """(loss, gradients, last state (n_a, 1)) of one name; updates the arrays of `parameters`.

    X: symbols read, None for the zero input before the first; Y: the symbol to come after each;
    a_prev: (n_a, 1). The loss, in nats, is that before the update, summed over the name; the
    gradients are those of the update, cut to ± 5. Raises ShapeError where X and Y differ in length.
    """
    if not X or len(X) != len(Y):
        raise ShapeError(
            f"X and Y must be of one length, 1 or more, but have {len(X)} and {len(Y)}."
        )
    n_y = len(parameters["by"])
    x = np.stack([_input(symbol, n_y) for symbol in X], axis=-1)  # (n_x, 1, T_x)
    a, y_pred, caches = rnn_forward(x, a_prev, parameters)
    loss, dz = cross_entropy(y_pred, np.array(Y)[np.newaxis])
    da, dWya, dby = output_backward(dz, a, parameters["Wya"])
    backward = rnn_backward(da, caches)
    gradients = {name: backward[name] for name in ("dWax", "dWaa", "dba")}
    gradients = clip({**gradients, "dWya": dWya, "dby": dby}, 5)
    for name, gradient in gradients.items():
        parameters[name.removeprefix("d")] -= learning_rate * gradient
    return loss, gradients, a[:, :, -1]


def initialize_parameters(n_a: int, n_x: int, n_y: int) -> dict[str, Array]:
    """Weights .01 · N(0, 1) from the legacy generator at seed 1, biases 0; the cell's own names."""
    legacy = np.random.RandomState(1)
    return {
        "Wax": legacy.randn(n_a, n_x) * 0.01,
        "Waa": legacy.randn(n_a, n_a) * 0.01,
        "Wya": legacy.randn(n_y, n_a) * 0.01,
        "ba": np.zeros((n_a, 1)),
        "by": np.zeros((n_y, 1)),
    }


def model(
    text: str,
    num_iterations: int = 35000,
    n_a: int = 50,
    dino_names: int = 7,
    carry_state: bool = True,
    report_every: int = 2000,
    report: Callable[[NamesReport], None] = print,
) -> tuple[dict[str, Array], dict[str, int]]:
    """(parameters, char_to_ix) of a network trained on the names in `text`, one a line.

    Each iteration reads one name; the order is shuffled once. Every `report_every` iterations
    `report` gets the smoothed loss and `dino_names` invented names. With `carry_state` a name
    starts from the state the last one ended in, as in the published program; names in shuffled
    order have nothing to say to each other, so False, each from a zero state, is the right choice.
    Raises DataError if there is no name in the text, ConfigError for a size that is not positive.
    """
    check_positive({"n_a": n_a, "dino_names": dino_names, "report_every": report_every})
    names = [line.strip() for line in text.lower().split("\n") if line.strip()]
    if not names:
        raise DataError("the text holds no names: give one name a line.")
    vocabulary = sorted({"\n"}.union(*names))
    char_to_ix = {char: ix for ix, char in enumerate(vocabulary)}
    np.random.RandomState(0).shuffle(names)
    parameters = initialize_parameters(n_a, len(vocabulary), len(vocabulary))
    # the notes start the average from a name of as many symbols as they print names
    smooth_loss = dino_names * np.log(len(vocabulary))
    zero = a_prev = np.zeros((n_a, 1))
    for iteration in range(num_iterations):
        symbols = [char_to_ix[char] for char in names[iteration % len(names)]]
        start = a_prev if carry_state else zero
        loss, _, a_prev = optimize(
            [None, *symbols], [*symbols, char_to_ix["\n"]], start, parameters
        )
        smooth_loss = 0.999 * smooth_loss + 0.001 * loss
        if iteration % report_every == 0:
            drawn = [sample(parameters, char_to_ix, seed) for seed in range(dino_names)]
            invented = tuple(_name(indices, vocabulary) for indices in drawn)
            report(NamesReport(iteration, float(smooth_loss), invented))
    return parameters, char_to_ix


def _input(symbol: int | None, size: int) -> Array:
    return np.zeros((size, 1)) if symbol is None else one_hot(np.array([symbol]), size)


def _name(indices: Sequence[int], vocabulary: Sequence[str]) -> str:
    return "".join(vocabulary[ix] for ix in indices[:-1]).capitalize()
