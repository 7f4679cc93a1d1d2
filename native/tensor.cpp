// Tensors read through the table of C functions that torch has for DLPack's consumers, where this
// torch has one: 20 ns a tensor instead of 40 to 80 for each question. Otherwise by their
// attributes. The table's layout is that of DLPack 1.3; torch is neither linked nor imported here.
#include "tensor.hpp"

#include <algorithm>

namespace recurra {
namespace {

struct DLDevice {
    std::int32_t type;  // 1: the CPU
    std::int32_t id;
};
struct DLDataType {
    std::uint8_t code;  // 0: signed integers, 2: floating point
    std::uint8_t bits;
    std::uint16_t lanes;
};
struct DLTensor {
    void* data;
    DLDevice device;
    std::int32_t ndim;
    DLDataType dtype;
    std::int64_t* shape;
    std::int64_t* strides;
    std::uint64_t byte_offset;
};
struct DLPackExchangeAPI {
    std::uint32_t major, minor;
    DLPackExchangeAPI* older;
    void* managed_tensor_allocator;
    void* managed_tensor_from_py_object;
    void* managed_tensor_to_py_object;
    int (*tensor_from_py_object)(void* object, DLTensor* out);  // borrows; not 0 with an error set
    void* current_work_stream;
};
constexpr std::uint32_t known_version = 1;

// What torch calls its own, and its table or null; kept as long as the process lives. Null before
// recurra.fused has told.
struct Torch {
    PyObject *tensor = nullptr, *parameter = nullptr, *float32 = nullptr, *int64 = nullptr;
    const DLPackExchangeAPI* table = nullptr;
} torch;

bool is_torchs_own(nb::handle one) {
    auto* kind = reinterpret_cast<PyObject*>(Py_TYPE(one.ptr()));
    return kind == torch.tensor || kind == torch.parameter;
}

nb::object ask(nb::handle tensor, PyObject* method) {
    PyObject* self[] = {nullptr, tensor.ptr()};
    PyObject* said = PyObject_VectorcallMethod(
        method, self + 1, 1 | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr);
    if (!said) throw nb::python_error();
    return nb::steal(said);
}

Number number_of(const DLDataType& type) {
    if (type.lanes != 1) return Number::other;
    if (type.code == 2 && type.bits == 32) return Number::float32;
    return type.code == 0 && type.bits == 64 ? Number::int64 : Number::other;
}

bool is_contiguous(const DLTensor& from) {
    Index stride = 1;
    for (int i = from.ndim - 1; from.strides && i >= 0; --i) {
        if (from.shape[i] != 1 && from.strides[i] != stride) return false;
        stride *= from.shape[i];
    }
    return true;
}

bool read_by_table(nb::handle tensor, Tensor& to) {
    DLTensor from;
    if (torch.table->tensor_from_py_object(tensor.ptr(), &from)) {
        PyErr_Clear();
        return false;
    }
    to = {reinterpret_cast<Address>(from.data) + (Address)from.byte_offset,
          number_of(from.dtype),
          from.device.type == 1,
          is_contiguous(from),
          from.ndim,
          {}};
    std::copy_n(from.shape, std::min(from.ndim, Tensor::most), to.sizes);
    return true;
}

bool read_by_attributes(nb::handle tensor, Tensor& to) {
    static PyObject* const data_ptr = PyUnicode_InternFromString("data_ptr");
    static PyObject* const is_contiguous = PyUnicode_InternFromString("is_contiguous");
    try {
        const nb::object type = tensor.attr("dtype");
        const auto sizes = nb::cast<nb::tuple>(tensor.attr("shape"));
        to = {nb::cast<Address>(ask(tensor, data_ptr)),
              type.ptr() == torch.float32 ? Number::float32
              : type.ptr() == torch.int64 ? Number::int64
                                          : Number::other,
              nb::cast<bool>(tensor.attr("is_cpu")),
              nb::cast<bool>(ask(tensor, is_contiguous)),
              (int)sizes.size(),
              {}};
        for (int i = 0; i < std::min(to.dimensions, Tensor::most); ++i)
            to.sizes[i] = nb::cast<Index>(sizes[i]);
        return true;
    } catch (nb::python_error& error) {
        if (!error.matches(PyExc_RuntimeError)) throw;
        return false;
    }
}

// `table`: torch.Tensor's capsule, None where it has none.
void know_torch(nb::object tensor, nb::object parameter, nb::object float32, nb::object int64,
                nb::object table) {
    Torch known;
    const char* const name = "dlpack_exchange_api";
    if (PyCapsule_IsValid(table.ptr(), name)) {
        const auto* one =
            static_cast<const DLPackExchangeAPI*>(PyCapsule_GetPointer(table.ptr(), name));
        while (one && one->major > known_version) one = one->older;
        if (one && one->major == known_version && one->tensor_from_py_object) known.table = one;
    }
    known.tensor = tensor.release().ptr();
    known.parameter = parameter.release().ptr();
    known.float32 = float32.release().ptr();
    known.int64 = int64.release().ptr();
    torch = known;
}

bool is_negated(nb::handle tensor) {
    static PyObject* const is_neg = PyUnicode_InternFromString("is_neg");
    return nb::cast<bool>(ask(tensor, is_neg));
}

// Whether each is None, or lies contiguous on the CPU as it is: the first `indices` of int64, the
// others float32.
bool all_in_place(nb::sequence tensors, Index indices) {
    for (nb::handle one : tensors) {
        const Number wanted = indices-- > 0 ? Number::int64 : Number::float32;
        Tensor found;
        if (one.is_none()) continue;
        if (!read(one, found) || found.number != wanted || !found.on_cpu || !found.contiguous ||
            is_negated(one))
            return false;
    }
    return true;
}

}  // namespace

bool Tensor::has_shape(std::initializer_list<Index> wanted) const {
    return dimensions == (int)wanted.size() && std::equal(wanted.begin(), wanted.end(), sizes);
}

bool read(nb::handle tensor, Tensor& to) {
    return torch.table && is_torchs_own(tensor) ? read_by_table(tensor, to)
                                                : read_by_attributes(tensor, to);
}

bool is_plain(nb::handle tensor) {
    Tensor found;
    return is_torchs_own(tensor) && read(tensor, found) && found.number == Number::float32 &&
           found.on_cpu && found.address && !is_negated(tensor);
}

void bind_tensor(nb::module_& module) {
    module.def("know_torch", know_torch, nb::arg(), nb::arg(), nb::arg(), nb::arg(),
               nb::arg().none());
    // Whether each of them is plain, or None.
    module.def("all_plain", [](nb::args tensors) {
        for (nb::handle one : tensors)
            if (!one.is_none() && !is_plain(one)) return false;
        return true;
    });
    module.def("all_in_place", all_in_place);
}

}  // namespace recurra
