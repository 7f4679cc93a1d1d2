// What the files that know Python share: arguments read, and checked before they go further.
#pragma once

#include <nanobind/nanobind.h>

#include <initializer_list>
#include <stdexcept>
#include <string>

#include "job.hpp"
#include "tensor.hpp"

namespace recurra {

template <class T>
T* at(Address address) {
    return reinterpret_cast<T*>(address);
}

inline nb::object checked(PyObject* made) {
    if (!made) throw nb::python_error();
    return nb::steal(made);
}

// Of an array given as None (there is none), as its address, or as a torch tensor, which is read
// here. What of its shape is wanted, an address does not say.
inline Address address(nb::handle array, const char* name = nullptr,
                       std::initializer_list<Index> shape = {}) {
    if (array.is_none()) return 0;
    if (PyLong_Check(array.ptr())) {
        const std::size_t number = PyLong_AsSize_t(array.ptr());
        if (number == (std::size_t)-1 && PyErr_Occurred()) throw nb::python_error();
        return number;
    }
    Tensor tensor;
    if (!read(array, tensor)) throw std::runtime_error("a tensor has no memory of its own");
    if (name && !tensor.has_shape(shape)) {
        const nb::object found = checked(PyObject_GetAttrString(array.ptr(), "shape"));
        std::string words;
        for (Index one : shape) words += (words.empty() ? "" : ", ") + std::to_string(one);
        throw std::invalid_argument(std::string(name) + " must have the shape (" + words +
                                    ") but has " + nb::str(found).c_str() + ".");
    }
    // An empty one would have none; none of those with a name is empty.
    if (name && !tensor.address)
        throw std::runtime_error(std::string(name) + " has no memory of its own");
    return tensor.address;
}

// Numbers and arrays one after another out of a tuple or list.
class Reader {
public:
    explicit Reader(nb::handle from) : from_(checked(PySequence_Fast(from.ptr(), ""))) {}

    Index count() const { return (Index)PySequence_Fast_GET_SIZE(from_.ptr()); }

    Index number() { return nb::cast<Index>(next()); }

    template <class T>
    T* array() {
        return at<T>(address(next()));
    }
    // A tensor must have that shape; `name` is for the error.
    template <class T>
    T* array(const char* name, std::initializer_list<Index> shape) {
        return at<T>(address(next(), name, shape));
    }

private:
    nb::handle next() {
        if (next_ == count()) throw nb::index_error("too few arrays or numbers");
        return PySequence_Fast_GET_ITEM(from_.ptr(), next_++);
    }

    nb::object from_;
    Index next_ = 0;
};

// Null is no ids at all.
inline void check_ids(const Index* ids, Index count, Index lowest, Index symbols) {
    for (Index i = 0; ids && i < count; ++i)
        if (ids[i] < lowest || ids[i] >= symbols)
            throw std::out_of_range("id " + std::to_string(ids[i]) +
                                    " is out of range: the table has " + std::to_string(symbols) +
                                    " rows");
}

void bind_layer(nb::module_& module);

}  // namespace recurra
