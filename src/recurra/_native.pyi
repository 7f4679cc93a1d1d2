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

class Sampler:
    def run(
        self,
        steps: int,
        batch: int,
        ids: int,
        state: int,
        uniforms: int,
        nats: int,
        never: int,
        never_count: int,
        temperature: float,
        top_k: int,
        top_p: float,
        /,
    ) -> None: ...

def sampler(
    cell: int,
    sizes: list[int],
    table: int,
    embedding: int,
    layers: list[list[int]],
    projection: int,
    projection_bias: int,
    int8: bool,
    /,
) -> Sampler: ...
def apply(function: int, x: int, out: int, n: int, /) -> None: ...
def available() -> list[str]: ...
def chosen() -> str: ...
