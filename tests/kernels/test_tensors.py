"""Torch's tensors are read by torch's table of C functions or by attributes: the same laws."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import recurra.nn as ours
from recurra import kernels
from recurra.kernels._available import native

pytestmark = pytest.mark.skipif(kernels.why_missing() is not None, reason="needs the kernels")


class Subclass(torch.Tensor):
    """A class of somebody's own."""


@pytest.fixture(params=["by torch's table", "by attributes"])
def reading(request: pytest.FixtureRequest) -> str:
    """How tensors are read; a torch without a table leaves the second way alone."""
    if request.param == "by attributes":
        read_with(None)
    elif not hasattr(torch.Tensor, "__dlpack_c_exchange_api__"):
        pytest.skip("this torch has no table")
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    kernels.know_torch(torch)


def read_with(table: object) -> None:
    native.know_torch(torch.Tensor, nn.Parameter, torch.float32, torch.int64, table)


NOT_PLAIN: dict[str, Callable[[], Any]] = {
    "float64": lambda: torch.zeros(3, dtype=torch.float64),
    "float16": lambda: torch.zeros(3, dtype=torch.float16),
    "int32": lambda: torch.zeros(3, dtype=torch.int32),
    "complex64": lambda: torch.zeros(3, dtype=torch.complex64),
    "a subclass": lambda: torch.zeros(3).as_subclass(Subclass),
    "nothing in it": lambda: torch.zeros(0, 4),
    "on no device": lambda: torch.zeros(3, device="meta"),
    "sparse": lambda: torch.eye(3).to_sparse(),
    "compressed": lambda: torch.eye(3).to_sparse_csr(),
    "a lazy negative": lambda: torch.zeros(3, dtype=torch.complex64).conj().imag,
    "a zero without memory": lambda: torch._efficientzerotensor((3, 3)),
    "an array of NumPy": lambda: torch.zeros(3).numpy(),
    "a number": lambda: 7,
}


@pytest.mark.parametrize("name", NOT_PLAIN)
@pytest.mark.filterwarnings("ignore:Sparse")
def test_what_the_kernels_cannot_read_from_memory_is_not_plain(reading: str, name: str) -> None:
    assert not kernels.all_plain(torch.zeros(3), NOT_PLAIN[name](), None)


def test_float32_tensors_and_parameters_are_plain_in_any_layout(reading: str) -> None:
    tensor = torch.zeros(3, 4)
    given = [
        tensor,
        tensor.T,
        tensor[:, 1:],
        tensor[0, 0],
        nn.Parameter(tensor),
        tensor.expand(5, 3, 4),
    ]
    assert kernels.all_plain(*given, tensor.reshape(1, 1, 3, 2, 1, 2), None)
    assert kernels.all_plain()


def test_inside_a_function_transform_a_tensor_is_not_plain(reading: str) -> None:
    seen = []

    def watched(x: Tensor) -> Tensor:
        seen.append(kernels.all_plain(x))
        return x.sum()

    torch.func.grad(watched)(torch.zeros(3))
    torch.func.vmap(watched)(torch.zeros(2, 3))
    assert seen == [False, False]


INDICES, FLOATS = torch.zeros(4, dtype=torch.int64), torch.zeros(4, 6)


@pytest.mark.parametrize(
    ("tensors", "expected"),
    [
        ([], True),
        ([None, None], True),
        ([INDICES, FLOATS], True),
        ([INDICES, FLOATS.view(1, 1, 4, 3, 2)], True),
        ([INDICES, FLOATS[:, None].transpose(1, 2)], True),  # an axis of one may lie anywhere
        ([INDICES, FLOATS.T], False),
        ([INDICES, FLOATS[:, :5]], False),
        ([INDICES, FLOATS.expand(2, 4, 6)], False),
        ([INDICES, FLOATS.double()], False),
        ([INDICES, INDICES], False),
        ([FLOATS, FLOATS], False),
        ([INDICES.int(), FLOATS], False),
        ([INDICES, torch.eye(3).to_sparse()], False),
        ([INDICES, FLOATS.to("meta")], False),
    ],
    ids=str,
)
def test_only_contiguous_indices_and_then_floats_on_the_cpu_are_in_place(
    reading: str, tensors: list[Tensor | None], expected: bool
) -> None:
    assert kernels.all_in_place(tensors, 1) is expected
    assert kernels.all_in_place(tuple(tensors), 1) is expected


def test_a_layer_gives_the_same_bits_however_its_tensors_are_read() -> None:
    torch.manual_seed(0)
    layer = ours.LSTM(5, 7, bidirectional=True)
    x = torch.randn(6, 3, 5, requires_grad=True)
    leaves = [x, *layer.parameters()]

    def results() -> list[Tensor]:
        output = layer(x)[0]
        return [output, *torch.autograd.grad(output.square().sum(), leaves)]

    expected = results()
    read_with(None)
    for one, other in zip(results(), expected, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(("major", "name"), [(99, "dlpack_exchange_api"), (1, "dltensor_api")])
def test_a_table_of_another_major_version_or_name_is_left_alone(major: int, name: str) -> None:
    # a version, no older table, and where functions should be nothing that could be called
    table = (ctypes.c_uint64 * 7)(major, 0, 1, 1, 1, 1, 1)
    called = ctypes.create_string_buffer(name.encode())  # a capsule does not copy its name
    new = ctypes.pythonapi.PyCapsule_New
    new.restype, new.argtypes = (
        ctypes.py_object,
        [ctypes.c_void_p] * 3,
    )
    read_with(new(ctypes.addressof(table), ctypes.addressof(called), None))
    assert kernels.all_plain(torch.zeros(3))
    assert not kernels.all_plain(torch.zeros(3, dtype=torch.float64))
