"""The lectures' equations in NumPy float64, every gradient derived by hand; no torch.

min_char_rnn.py: the character model. rnn.py, lstm.py, gru.py: the notes' cell API, axes
(n_x, m, T_x). output.py: softmax and cross-entropy above them. names.py: the notes' program that
invents names. axes.py: between the lectures' axis orders. docs/textbook.md leads through them.
"""

from __future__ import annotations

from recurra.textbook.axes import (
    batch_first_to_notes,
    batch_first_to_time_major,
    notes_to_batch_first,
    notes_to_time_major,
    time_major_to_batch_first,
    time_major_to_notes,
)
from recurra.textbook.gru import (
    GRUCache,
    gru_backward,
    gru_cell_backward,
    gru_cell_forward,
    gru_forward,
)
from recurra.textbook.lstm import (
    LSTMCache,
    lstm_backward,
    lstm_cell_backward,
    lstm_cell_forward,
    lstm_forward,
)
from recurra.textbook.min_char_rnn import MinCharRNN
from recurra.textbook.names import (
    NamesReport,
    clip,
    initialize_parameters,
    model,
    optimize,
    sample,
)
from recurra.textbook.output import cross_entropy, one_hot, output_backward, softmax
from recurra.textbook.rnn import (
    RNNCache,
    rnn_backward,
    rnn_cell_backward,
    rnn_cell_forward,
    rnn_forward,
)

__all__ = [
    "GRUCache",
    "LSTMCache",
    "MinCharRNN",
    "NamesReport",
    "RNNCache",
    "batch_first_to_notes",
    "batch_first_to_time_major",
    "clip",
    "cross_entropy",
    "gru_backward",
    "gru_cell_backward",
    "gru_cell_forward",
    "gru_forward",
    "initialize_parameters",
    "lstm_backward",
    "lstm_cell_backward",
    "lstm_cell_forward",
    "lstm_forward",
    "model",
    "notes_to_batch_first",
    "notes_to_time_major",
    "one_hot",
    "optimize",
    "output_backward",
    "rnn_backward",
    "rnn_cell_backward",
    "rnn_cell_forward",
    "rnn_forward",
    "sample",
    "softmax",
    "time_major_to_batch_first",
    "time_major_to_notes",
]
