"""torch.nn's RNN, LSTM and GRU, with the native kernels under them; and a model's own, swapped.

model = recurra.nn.LSTM(128, 256, num_layers=2)   # in place of torch.nn.LSTM
recurra.accelerate(model)                         # or: an existing model's layers, in place
"""

from __future__ import annotations

from recurra.nn._accelerate import Swapped, accelerate, restore
from recurra.nn._layers import GRU, LSTM, RNN

__all__ = ["GRU", "LSTM", "RNN", "Swapped", "accelerate", "restore"]
