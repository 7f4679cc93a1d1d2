"""The programs that a PyTorch user would write, with our weights in them: the other side.

They are meant to be ordinary, not slow: state carried, gradients set to None, nothing looked at
twice. The LSTM's second bias adds nothing to the first; trained, it would double the step of their
sum, so it is held at zero for the losses to be comparable.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, softmax

from recurra.layers.torch_weights import torch_weights
from recurra.models.language_model import LanguageModel


class PlainModel(nn.Module):
    """Embedding, nn.LSTM and a linear layer onto the vocabulary."""

    def __init__(self, model: LanguageModel) -> None:
        """With the weights of `model`, an untied LSTM with an embedding."""
        super().__init__()
        weights = {name: value.detach().clone() for name, value in model.state_dict().items()}
        symbols, size = weights["embedding.weight"].shape
        self.embedding = nn.Embedding(symbols, size, _weight=weights["embedding.weight"])
        stack = model.recurrent
        self.lstm = nn.LSTM(size, stack.hidden_size, stack.num_layers)
        self.lstm.load_state_dict(torch_weights(stack))
        for name, parameter in self.lstm.named_parameters():
            parameter.requires_grad_(not name.startswith("bias_hh"))
        self.projection = nn.Linear(stack.hidden_size, symbols)
        own = {name: weights[f"projection.{name}"] for name in ("weight", "bias")}
        self.projection.load_state_dict(own)

    def forward(self, ids: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """(logits (T, B, V), state after) for ids (T, B)."""
        outputs, state = self.lstm(self.embedding(ids), state)
        return self.projection(outputs), state

    @torch.no_grad()
    def nats(self, ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """−ln p of each of the ids after the first, from the zero state."""
        logits, _ = self(torch.from_numpy(ids[:-1, None]))
        targets = torch.from_numpy(ids[1:])
        losses: NDArray[np.float32] = cross_entropy(logits[:, 0], targets, reduction="none").numpy()
        return losses


class PlainTrainer:
    """A training step with Adam and the gradient's norm clipped, over B streams of a text."""

    def __init__(
        self,
        model: PlainModel,
        ids: NDArray[np.uint16],
        batch: int,
        steps: int,
        rate: float,
        norm: float,
    ) -> None:
        """ids (B·L + 1,), L a multiple of the `steps` of a window; rate: Adam's; norm: clip to."""
        self._model, self._steps, self._norm = model, steps, norm
        self._inputs = _streams(ids[:-1], batch)  # (L, B)
        self._targets = _streams(ids[1:], batch)
        self._parameters = [each for each in model.parameters() if each.requires_grad]
        self._optimizer = torch.optim.Adam(self._parameters, lr=rate)
        self._at = 0
        self._state: Any = None

    def step(self) -> float:
        """The loss of the next window, nats a token, before the step was taken."""
        if self._at == len(self._inputs):
            self._at, self._state = 0, None
        part = slice(self._at, self._at + self._steps)
        self._at = part.stop
        self._optimizer.zero_grad(set_to_none=True)
        logits, (hidden, cell) = self._model(self._inputs[part], self._state)
        self._state = (hidden.detach(), cell.detach())
        loss = cross_entropy(logits.flatten(0, 1), self._targets[part].flatten())
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self._parameters, self._norm)
        self._optimizer.step()
        return float(loss.detach())


def _streams(ids: NDArray[np.uint16], batch: int) -> Tensor:
    """The ids (B·L,) as B streams side by side, (L, B)."""
    return torch.from_numpy(ids.astype(np.int64).reshape(batch, -1).T.copy())


@torch.inference_mode()
def sample(
    model: PlainModel, first: int, length: int, temperature: float, generator: torch.Generator
) -> list[int]:
    """`length` ids that follow the id `first`; at temperature 0 the likeliest each time."""
    ids, state, drawn = torch.tensor([[first]]), None, []
    for _ in range(length):
        logits, state = model(ids, state)  # (1, 1, V)
        if temperature == 0:
            ids = logits[-1].argmax(-1, keepdim=True)
        else:
            ids = torch.multinomial(softmax(logits[-1] / temperature, -1), 1, generator=generator)
        drawn.append(int(ids))
    return drawn
