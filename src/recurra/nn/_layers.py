"""RNN, LSTM and GRU that subclass torch.nn's and override `forward` alone.

Everything else (signature, initialisation, state_dict, deepcopy, isinstance) is torch's, and so is
every call that the kernels do not cover: it goes to `super().forward`, which also words the errors.
What is covered is decided in `_call.py`.
"""

from __future__ import annotations

from typing import Any

import torch

from recurra.nn._call import result_of


class RNN(torch.nn.RNN):
    """torch.nn.RNN, faster on the CPU in float32."""

    def forward(self, input: Any, hx: Any = None) -> Any:
        """(output, h_n) as torch.nn.RNN gives them."""
        result = result_of(self, input, None if hx is None else (hx,))
        if result is None:
            return super().forward(input, hx)
        output, (hidden,) = result
        return output, hidden


class GRU(torch.nn.GRU):
    """torch.nn.GRU, faster on the CPU in float32."""

    def forward(self, input: Any, hx: Any = None) -> Any:
        """(output, h_n) as torch.nn.GRU gives them."""
        result = result_of(self, input, None if hx is None else (hx,))
        if result is None:
            return super().forward(input, hx)
        output, (hidden,) = result
        return output, hidden


class LSTM(torch.nn.LSTM):
    """torch.nn.LSTM, faster on the CPU in float32."""

    def forward(self, input: Any, hx: Any = None) -> Any:
        """(output, (h_n, c_n)) as torch.nn.LSTM gives them."""
        result = result_of(self, input, hx)
        return super().forward(input, hx) if result is None else result
