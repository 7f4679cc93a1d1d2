// What a torch tensor says of itself, asked for in C++: a short layer has a dozen, and a question
// in Python takes as long as one of its steps.
#pragma once

#include <nanobind/nanobind.h>

#include <initializer_list>

#include "job.hpp"

namespace recurra {

namespace nb = nanobind;

using Address = std::uintptr_t;  // 0: no such array

enum class Number { float32, int64, other };

struct Tensor {
    static constexpr int most = 4;  // dimensions of which the sizes are here
    Address address;
    Number number;
    bool on_cpu, contiguous;
    int dimensions;
    Index sizes[most];

    bool has_shape(std::initializer_list<Index> wanted) const;
};

// Reads a tensor. False, and no error is left, for one without memory of its own: sparse, oneDNN's,
// what function transforms leave.
bool read(nb::handle tensor, Tensor& to);

// A tensor of torch's own class or a parameter: float32, on the CPU, its numbers in memory as they
// are (a negative bit says that their sign stands elsewhere).
bool is_plain(nb::handle tensor);

void bind_tensor(nb::module_& module);

}  // namespace recurra
