// recurra._native for Python: arrays and sizes in, nothing out. What takes a layer is in
// bind_layer.cpp.
//
// recurra.kernels has checked the arrays' types, shapes and layout. Nothing else may call these.
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cstdlib>
#include <cstring>

#include "binding.hpp"
#include "network.hpp"
#include "sets.hpp"
#include "step.hpp"
#include "update.hpp"

using namespace recurra;

namespace {

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

void nats(Index tokens, Index hidden, Index symbols, Address rows, Address weight, Address bias,
          Address targets, Address nats, float scale, Address d_rows, Address d_weight,
          Address d_bias, int threads) {
    const Nats job{tokens,
                   hidden,
                   symbols,
                   at<const float>(rows),
                   at<const float>(weight),
                   at<const float>(bias),
                   at<const Index>(targets),
                   at<double>(nats),
                   scale,
                   at<float>(d_rows),
                   at<float>(d_weight),
                   at<float>(d_bias),
                   std::max(threads, 1)};
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

// `arrays`: for each parameter five and how many numbers they have, in the order of
// recurra.kernels.update.
nb::tuple update(int rule, nb::handle arrays, const std::vector<double>& decays,
                 double rate, double momentum_decay, double squares_decay, double epsilon,
                 double clip_value, double clip_norm, int threads) {
    std::vector<Parameter> parameters;
    parameters.reserve(decays.size());
    Reader from(arrays);
    for (const double decay : decays) {
        Parameter to{};
        to.weight = from.array<float>();
        to.gradient = from.array<const float>();
        to.momentum = from.array<float>();
        to.squares = from.array<float>();
        to.steps = from.array<float>();
        to.count = from.number();
        to.decay = decay;
        parameters.push_back(to);
    }
    Update job{static_cast<Rule>(rule), parameters.data(), (Index)parameters.size(), rate,
               momentum_decay, squares_decay, epsilon, clip_value, clip_norm,
               std::max(threads, 1), 0, false};
    {
        nb::gil_scoped_release released;
        chosen_set().update(job);
    }
    return nb::make_tuple(job.norm, job.cut);
}

// The numbers that NetworkLoss begins with, in its order; `tied` makes the embedding's gradient the
// projection's.
NetworkLoss read_network(Reader& from) {
    NetworkLoss to{};
    to.cell = static_cast<Cell>(from.number());
    to.T = from.number();
    to.B = from.number();
    to.V = from.number();
    to.E = from.number();
    to.H = from.number();
    to.layer_count = from.number();
    return to;
}

Index network_room(nb::handle sizes, bool tied) {
    Reader from(sizes);
    NetworkLoss job = read_network(from);
    float some = 0;
    job.d_projection = &some;
    job.d_embedding = tied ? &some : nullptr;
    return chosen_set().network_room(job);
}

// `sizes` as above; `arrays`: those beside the layers'; `layers`: twelve a layer, in the
// order of LayerLoss. Returns the mean nats.
double network_loss(nb::handle sizes, nb::handle arrays, nb::handle layers, int threads) {
    Reader from(sizes), at(arrays), of_layers(layers);
    NetworkLoss job = read_network(from);
    job.ids = at.array<const Index>();
    job.targets = at.array<const Index>();
    job.embedding = at.array<const float>();
    job.d_embedding = at.array<float>();
    job.projection = at.array<const float>();
    job.bias = at.array<const float>();
    job.d_projection = at.array<float>();
    job.d_bias = at.array<float>();
    job.room = at.array<float>();
    job.threads = std::max(threads, 1);
    std::vector<LayerLoss> each((std::size_t)job.layer_count);
    for (LayerLoss& layer : each) {
        for (const float** one : {&layer.weight_ih, &layer.weight_hh, &layer.bias, &layer.other})
            *one = of_layers.array<const float>();
        for (float** one : {&layer.d_weight_ih, &layer.d_weight_hh, &layer.d_bias, &layer.d_other})
            *one = of_layers.array<float>();
        for (const float** one : {&layer.h0, &layer.c0}) *one = of_layers.array<const float>();
        for (float** one : {&layer.hN, &layer.cN}) *one = of_layers.array<float>();
    }
    job.layers = each.data();
    nb::gil_scoped_release released;
    check_ids(job.ids, job.T * job.B, 0, job.V);
    check_ids(job.targets, job.T * job.B, -1, job.V);
    chosen_set().network_loss(job);
    return job.nats;
}

// Asked before every layer: os.environ takes as long as two of its steps.
bool switched_off() {
    const char* const value = std::getenv("RECURRA_KERNELS");
    return value && std::strcmp(value, "off") == 0;
}

std::vector<std::string> available() {
    std::vector<std::string> names;
    for (const Set* set : available_sets()) names.emplace_back(set->name);
    return names;
}

}  // namespace

NB_MODULE(_native, module) {
    nb::set_leak_warnings(false);  // at interpreter exit other modules may still hold functions
    bind_tensor(module);
    bind_layer(module);
    module.def("apply", apply);
    module.def("nats", nats);
    module.def("sum_rows", sum_rows);
    module.def("update", update);
    module.def("network_loss", network_loss);
    module.def("network_room", network_room);
    nb::class_<Sampler>(module, "Sampler").def("run", run_sampler);
    module.def("sampler", make_sampler, nb::rv_policy::take_ownership);
    module.def("switched_off", switched_off);
    module.def("available", available);
    module.def("chosen", [] { return std::string(chosen_set().name); });
}
