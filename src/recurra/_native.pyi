# What native/bindings.cpp defines. Addresses are of arrays that recurra.kernels has checked; 0 is
# no array. Only recurra.kernels calls these.

def forward(
    cell: int,
    steps: int,
    batch: int,
    hidden: int,
    lengths: int,
    reverse: bool,
    threads: int,
    weight_hh: int,
    weight_hn: int,
    x: int,
    ids: int,
    symbols: int,
    bias: int,
    bias_hn: int,
    h0: int,
    c0: int,
    outputs: int,
    h_n: int,
    c_n: int,
    gates: int,
    extra: int,
    /,
) -> None: ...
def backward(
    cell: int,
    steps: int,
    batch: int,
    hidden: int,
    lengths: int,
    reverse: bool,
    threads: int,
    weight_hh: int,
    weight_hn: int,
    gates: int,
    extra: int,
    outputs: int,
    h0: int,
    c0: int,
    d_outputs: int,
    d_h_n: int,
    d_c_n: int,
    d_h0: int,
    d_c0: int,
    /,
) -> None: ...
def apply(function: int, x: int, out: int, n: int, /) -> None: ...
def available() -> list[str]: ...
def chosen() -> str: ...
