// recurra._native for Python: addresses and sizes in, nothing out. The only file that knows Python.
//
// Arrays come as addresses, since importing a dozen through DLPack takes as long as a short layer;
// recurra.kernels has checked their types, shapes and layout. Nothing else may call these.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <stdexcept>

#include "sets.hpp"
#include "step.hpp"

namespace nb = nanobind;
using namespace recurra;

namespace {

using Address = std::uintptr_t;  // 0: no such array

template <class T>
T* at(Address address) {
    return reinterpret_cast<T*>(address);
}

// Null is no ids at all.
void check_ids(const Index* ids, Index count, Index lowest, Index symbols) {
    for (Index i = 0; ids && i < count; ++i)
        if (ids[i] < lowest || ids[i] >= symbols)
            throw std::out_of_range("id " + std::to_string(ids[i]) +
                                    " is out of range: the table has " + std::to_string(symbols) +
                                    " rows");
}

Shape shape(int cell, Index T, Index B, Index H, Address lengths, bool reverse, int threads,
            Address weight_hh, Address weight_hn) {
    return {static_cast<Cell>(cell), T, B, H, at<const Index>(lengths), reverse,
            threads < 1 ? 1 : threads, at<const float>(weight_hh), at<const float>(weight_hn)};
}

void run_forward(int cell, Index T, Index B, Index H, Address lengths, bool reverse, int threads,
                 Address weight_hh, Address weight_hn, Address x, Address ids, Index symbols,
                 Address bias, Address bias_hn, Address h0, Address c0, Address outputs, Address hN,
                 Address cN, Address gates, Address extra) {
    const Forward job{shape(cell, T, B, H, lengths, reverse, threads, weight_hh, weight_hn),
                      at<const float>(x), at<const Index>(ids), at<const float>(bias),
                      at<const float>(bias_hn), at<const float>(h0), at<const float>(c0),
                      at<float>(outputs), at<float>(hN), at<float>(cN), at<float>(gates),
                      at<float>(extra)};
    nb::gil_scoped_release released;
    check_ids(job.ids, job.T * job.B, 0, symbols);
    chosen_set().forward(job);
}

void run_backward(int cell, Index T, Index B, Index H, Address lengths, bool reverse, int threads,
                  Address weight_hh, Address weight_hn, Address gates, Address extra,
                  Address outputs, Address h0, Address c0, Address d_outputs, Address d_hN,
                  Address d_cN, Address d_h0, Address d_c0) {
    const Backward job{shape(cell, T, B, H, lengths, reverse, threads, weight_hh, weight_hn),
                       at<float>(gates), at<float>(extra), at<const float>(outputs),
                       at<const float>(h0), at<const float>(c0), at<const float>(d_outputs),
                       at<const float>(d_hN), at<const float>(d_cN), at<float>(d_h0),
                       at<float>(d_c0)};
    nb::gil_scoped_release released;
    chosen_set().backward(job);
}

// `sizes`: V, E, H; `layers`: five addresses each, in the order of LayerWeights.
Sampler* make_sampler(int cell, std::vector<Index> sizes, Address table, Address embedding,
                      const std::vector<std::vector<Address>>& layers, Address projection,
                      Address projection_bias, bool int8) {
    Network network{static_cast<Cell>(cell), sizes.at(0), sizes.at(1), sizes.at(2),
                    at<const float>(table), at<const float>(embedding), {},
                    at<const float>(projection), at<const float>(projection_bias), int8};
    for (const auto& one : layers)
        network.layers.push_back({at<const float>(one.at(0)), at<const float>(one.at(1)),
                                  at<const float>(one.at(2)), at<const float>(one.at(3)),
                                  at<const float>(one.at(4))});
    nb::gil_scoped_release released;
    return sampler(network).release();
}

void run_sampler(const Sampler& sampler, Index T, Index B, Address ids, Address state,
                 Address uniforms, Address nats, Address never, Index never_count,
                 double temperature, Index top_k, double top_p) {
    const Filters filters{at<const Index>(never), never_count, temperature, top_k, top_p};
    const Chunk chunk{T, B, at<Index>(ids), at<float>(state), at<const double>(uniforms), &filters,
                      at<double>(nats)};
    nb::gil_scoped_release released;
    sampler.run(chunk);
}

void apply(int function, Address x, Address out, Index n) {
    chosen_set().apply(function, at<const float>(x), at<float>(out), n);
}

void nats(Index tokens, Index symbols, Address logits, Address targets, Address nats,
          Address gradient, float scale, int threads) {
    const Nats job{tokens,           symbols,             at<const float>(logits),
                   at<const Index>(targets), at<double>(nats), at<float>(gradient),
                   scale,            threads};
    nb::gil_scoped_release released;
    check_ids(job.targets, tokens, -1, symbols);
    chosen_set().nats(job);
}

void sum_rows(Index count, Index width, Address rows, Address ids, Index symbols, Address sums,
              int threads) {
    const RowSums job{count,   width,           at<const float>(rows), at<const Index>(ids),
                      symbols, at<float>(sums), threads};
    nb::gil_scoped_release released;
    check_ids(job.ids, count, 0, symbols);
    chosen_set().sum_rows(job);
}

std::vector<std::string> available() {
    std::vector<std::string> names;
    for (const Set* set : available_sets()) names.emplace_back(set->name);
    return names;
}

}  // namespace

NB_MODULE(_native, module) {
    nb::set_leak_warnings(false);  // at interpreter exit other modules may still hold functions
    module.def("forward", run_forward);
    module.def("backward", run_backward);
    module.def("apply", apply);
    module.def("nats", nats);
    module.def("sum_rows", sum_rows);
    nb::class_<Sampler>(module, "Sampler").def("run", run_sampler);
    module.def("sampler", make_sampler, nb::rv_policy::take_ownership);
    module.def("available", available);
    module.def("chosen", [] { return std::string(chosen_set().name); });
}
