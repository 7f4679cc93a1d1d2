"""The stack's input by ids: what their embeddings give, with as few products as there can be."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from recurra import cells
from recurra.arrays import Array
from recurra.cells import Weights
from recurra.cells.lstm import LSTMCell
from recurra.errors import ShapeError
from recurra.layers.stack import Stack
from tests.layers.stacks import IN, B, T, stack


@pytest.mark.parametrize("name", cells.names())
@pytest.mark.parametrize("symbols", [3, 40], ids=["table", "rows"])
def test_ids_give_what_their_embeddings_give_values_and_gradients(name: str, symbols: int) -> None:
    made = stack(cells.load(name), num_layers=2, bidirectional=True)
    rng = np.random.default_rng(2)
    ids = torch.from_numpy(rng.integers(0, symbols, (T, B)))
    embedding = torch.from_numpy(rng.normal(size=(symbols, IN))).requires_grad_()
    lengths = torch.tensor([T, 1, 2])
    by_ids = made.forward_ids(ids, embedding, None, lengths)
    by_rows = made(embedding[ids], None, lengths)
    # rounding: a gradient's sums run over symbols in one and over tokens in the other
    torch.testing.assert_close(by_ids[0], by_rows[0], rtol=0, atol=1e-12)
    values = [embedding, *made.parameters()]
    ours, theirs = (
        torch.autograd.grad((outputs * outputs).sum(), values) for outputs, _ in (by_ids, by_rows)
    )
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)


class CountingCell(LSTMCell):
    """Notes how many vectors it was asked to project, and of how many products to make gates."""

    def __init__(self) -> None:
        self.projected: list[int] = []
        self.conditioned: list[int] = []

    def project(self, x: Array, weights: Weights) -> Array:
        self.projected.append(x.shape[:-1].numel())
        return super().project(x, weights)

    def condition(self, products: Array, weights: Weights) -> Array:
        self.conditioned.append(products.shape[:-1].numel())
        return super().condition(products, weights)


@pytest.mark.parametrize(("symbols", "rows"), [(T * B, T * B), (T * B + 1, T * B), (3, 3)])
def test_no_more_vectors_are_projected_than_there_are_symbols_or_tokens(
    symbols: int, rows: int
) -> None:
    cell = CountingCell()
    ids = torch.zeros(T, B, dtype=torch.int64)
    stack(cell).forward_ids(ids, torch.zeros(symbols, IN, dtype=torch.float64))
    assert cell.projected == [rows]


@pytest.mark.parametrize(("steps", "rows"), [(1, 3), (T, IN)], ids=["rows", "table"])
def test_one_hot_ids_need_no_product_at_all(steps: int, rows: int) -> None:
    cell = CountingCell()
    stack(cell).forward_ids(torch.zeros(steps, 3, dtype=torch.int64), None)
    assert cell.projected == []
    assert cell.conditioned == [rows]


@pytest.mark.parametrize("steps", [1, T], ids=["rows", "table"])
def test_one_hot_ids_give_the_gradients_of_one_hot_vectors(steps: int) -> None:
    made = stack()
    ids = torch.from_numpy(np.random.default_rng(2).integers(0, IN, (steps, 2)))
    vectors = torch.eye(IN, dtype=torch.float64)[ids]
    ours, theirs = (
        torch.autograd.grad((outputs * outputs).sum(), list(made.parameters()))
        for outputs, _ in (made.forward_ids(ids, None), made(vectors))
    )
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)  # rounding


def test_ids_and_embeddings_of_another_shape_are_errors() -> None:
    ids = torch.zeros(T, B, dtype=torch.int64)
    with pytest.raises(ShapeError, match=r"ids must have shape \(T, B\) but has \(5,\)"):
        stack().forward_ids(ids[:, 0], None)
    with pytest.raises(ShapeError, match=r"embedding must have shape \(V, 4\) but has \(9, 3\)"):
        stack().forward_ids(ids, torch.zeros(9, 3))


@pytest.mark.parametrize("symbol", [-1, IN])
@pytest.mark.parametrize("steps", [1, T], ids=["rows", "table"])
def test_an_id_that_is_no_symbol_is_an_error(steps: int, symbol: int) -> None:
    ids = torch.full((steps, 2), symbol)
    with pytest.raises(IndexError, match="out of range"):
        stack().forward_ids(ids, None)


@pytest.mark.parametrize("symbols", [3, 30])
def test_ids_and_lengths_that_are_no_whole_numbers_are_refused(symbols: int) -> None:
    stack, embedding = Stack(cells.load("gru"), 4, 5), torch.randn(symbols, 4)
    ids = torch.ones(3, 2, dtype=torch.int64)
    with pytest.raises(ShapeError, match=r"ids must be whole numbers, .* but are torch\.float32"):
        stack.forward_ids(ids + 0.9, embedding)
    with pytest.raises(
        ShapeError, match=r"lengths must be whole numbers, .* but are torch\.float32"
    ):
        stack.forward_ids(ids, embedding, lengths=torch.tensor([1.5, 3.0]))
    stack.forward_ids(ids.int(), embedding, lengths=torch.tensor([1, 3], dtype=torch.int32))
