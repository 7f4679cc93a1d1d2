"""The plain model as an ONNX graph of one step, run by onnxruntime: another side of `sampling`.

The graph is written here from the weights, so that no exporter decides what is compared. Both
packages are optional: `why_missing` says in a line which of them is not installed.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from recurra.bench.plain import PlainModel

PACKAGES = ("onnx", "onnxruntime")
OPSET, IR_VERSION = 17, 8  # of 2022: any onnxruntime since then reads them
GATES = (0, 3, 1, 2)  # ONNX has i o f g, torch i f g o


def why_missing() -> str | None:
    """One line that says what is not installed, or None where nothing is missing."""
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if not missing:
        return None
    what = f"onnxruntime is not compared: {' and '.join(missing)} not installed"
    return f'{what} (pip install "recurra[bench]")'


class OnnxStep:
    """A session of onnxruntime on one thread, from symbol and state to logits and state."""

    def __init__(self, model: PlainModel) -> None:
        runtime: Any = import_module("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session = runtime.InferenceSession(
            _graph(model), options, providers=["CPUExecutionProvider"]
        )
        self._state = [f"{name}{depth}" for depth in range(model.lstm.num_layers) for name in "hc"]
        self._zero = np.zeros((1, 1, model.lstm.hidden_size), np.float32)

    def nats(self, inputs: Sequence[int], targets: Sequence[int]) -> NDArray[np.float64]:
        """−ln p of each target after the inputs up to its own, from the zero state."""
        state, found = [self._zero] * len(self._state), []
        for symbol, target in zip(inputs, targets, strict=True):
            logits, *state = self._step(symbol, state)
            wide = logits.astype(np.float64).ravel()
            found.append(np.logaddexp.reduce(wide) - wide[target])
        return np.array(found)

    def likeliest(self, first: int, length: int) -> list[int]:
        """`length` ids after the id `first`, the likeliest each time, from the zero state."""
        state, ids = [self._zero] * len(self._state), [first]
        for _ in range(length):
            logits, *state = self._step(ids[-1], state)
            ids.append(int(logits.argmax()))
        return ids[1:]

    def _step(self, symbol: int, state: Sequence[Any]) -> list[Any]:
        fed = {"ids": np.array([[symbol]]), **dict(zip(self._state, state, strict=True))}
        results: list[Any] = self._session.run(None, fed)
        return results


def _graph(model: PlainModel) -> bytes:
    """The model as a file of ONNX: ids (1, 1) and (1, 1, H) states in, logits and states out."""
    onnx: Any = import_module("onnx")
    node, value = onnx.helper.make_node, onnx.helper.make_tensor_value_info
    float32, int64 = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64
    layers, size = range(model.lstm.num_layers), model.lstm.hidden_size
    constants = {
        "embedding": _array(model.embedding.weight),
        "projection": _array(model.projection.weight).T,
        "projection_bias": _array(model.projection.bias),
    }
    nodes, below = [node("Gather", ["embedding", "ids"], ["embedded"])], "embedded"
    for depth in layers:
        constants |= _layer(model.lstm, depth)
        given = [below, f"W{depth}", f"R{depth}", f"B{depth}", "", f"h{depth}", f"c{depth}"]
        after = [f"after_h{depth}", f"after_c{depth}"]
        nodes.append(node("LSTM", given, ["", *after], hidden_size=size))
        below = after[0]  # of the only step: (1, 1, H)
    nodes.append(node("MatMul", [below, "projection"], ["products"]))
    nodes.append(node("Add", ["products", "projection_bias"], ["logits"]))
    states = [f"{name}{depth}" for depth in layers for name in "hc"]
    shape = [1, 1, size]
    graph = onnx.helper.make_graph(
        nodes,
        "step",
        [value("ids", int64, [1, 1]), *(value(name, float32, shape) for name in states)],
        [
            value("logits", float32, [1, 1, len(constants["projection_bias"])]),
            *(value(f"after_{name}", float32, shape) for name in states),
        ],
        [onnx.numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    opset = [onnx.helper.make_opsetid("", OPSET)]
    made = onnx.helper.make_model(graph, opset_imports=opset, ir_version=IR_VERSION)
    content: bytes = made.SerializeToString()
    return content


def _layer(lstm: torch.nn.LSTM, depth: int) -> dict[str, NDArray[np.float32]]:
    """W (1, 4H, I), R (1, 4H, H) and B (1, 8H) of a layer, by the names of ONNX."""

    def ordered(name: str) -> NDArray[np.float32]:
        gates = np.split(_array(getattr(lstm, f"{name}_l{depth}")), 4)
        return np.concatenate([gates[index] for index in GATES])[None]

    biases = np.concatenate([ordered("bias_ih"), ordered("bias_hh")], axis=1)
    return {f"W{depth}": ordered("weight_ih"), f"R{depth}": ordered("weight_hh")} | {
        f"B{depth}": biases
    }


def _array(tensor: torch.Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = tensor.detach().numpy()
    return array
