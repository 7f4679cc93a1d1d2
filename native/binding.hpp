// What the files that know Python share: arguments read, and checked before they go further.
#pragma once

#include <nanobind/nanobind.h>

#include <initializer_list>
#include <stdexcept>
#include <string>

#include "job.hpp"

namespace recurra {

namespace nb = nanobind;

using Address = std::uintptr_t;  // 0: no such array

template <class T>
T* at(Address address) {
    return reinterpret_cast<T*>(address);
}

inline nb::object checked(PyObject* made) {
    if (!made) throw nb::python_error();
    return nb::steal(made);
}

// Of an array given as None (there is none), as its address, or as a torch tensor, which is asked
// for it here: a short layer has a dozen, and to ask in Python, or to import them through DLPack,
// takes as long as its steps.
inline Address address(nb::handle array) {
    if (array.is_none()) return 0;
    nb::object number = nb::borrow(array);
    if (!PyLong_Check(array.ptr())) {
        static PyObject* const data_ptr = PyUnicode_InternFromString("data_ptr");
        PyObject* self[] = {nullptr, array.ptr()};
        number = checked(PyObject_VectorcallMethod(
            data_ptr, self + 1, 1 | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr));
    }
    const std::size_t found = PyLong_AsSize_t(number.ptr());
    if (found == (std::size_t)-1 && PyErr_Occurred()) throw nb::python_error();
    return found;
}

// Whether a torch tensor has that shape; an address says nothing of its shape.
inline bool has_shape(nb::handle array, std::initializer_list<Index> wanted) {
    if (array.is_none() || PyLong_Check(array.ptr())) return true;
    static PyObject* const shape = PyUnicode_InternFromString("shape");
    const nb::object found = checked(PyObject_GetAttr(array.ptr(), shape));
    const auto* size = wanted.begin();
    bool same = nb::len(found) == wanted.size();
    for (Py_ssize_t i = 0; same && i < (Py_ssize_t)wanted.size(); ++i)
        same = PyLong_AsLongLong(PyTuple_GET_ITEM(found.ptr(), i)) == size[i];
    return same;
}

inline void check_shape(nb::handle array, const char* name, std::initializer_list<Index> wanted) {
    if (has_shape(array, wanted)) return;
    const nb::object found = checked(PyObject_GetAttrString(array.ptr(), "shape"));
    std::string words;
    for (Index one : wanted) words += (words.empty() ? "" : ", ") + std::to_string(one);
    throw std::invalid_argument(std::string(name) + " must have the shape (" + words +
                                ") but has " + nb::str(found).c_str() + ".");
}

// Numbers and arrays one after another out of a tuple or list.
class Reader {
public:
    explicit Reader(nb::handle from) : from_(from) {}

    Index count() const { return (Index)nb::len(from_); }

    Index number() { return nb::cast<Index>(next()); }

    template <class T>
    T* array() {
        return at<T>(address(next()));
    }

private:
    nb::object next() { return checked(PySequence_GetItem(from_.ptr(), next_++)); }

    nb::handle from_;
    Py_ssize_t next_ = 0;
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
