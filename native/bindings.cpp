// recurra._native for Python: addresses and sizes in, nothing out. The only file that knows Python.
//
// Arrays come as addresses, since importing a dozen through DLPack takes as long as a short layer;
// recurra.kernels has checked their types, shapes and layout. Nothing else may call these.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <stdexcept>

#include "network.hpp"
#include "plan.hpp"
#include "sets.hpp"
#include "step.hpp"
#include "update.hpp"

namespace nb = nanobind;
using namespace recurra;

namespace {

using Address = std::uintptr_t;  // 0: no such array

template <class T>
T* at(Address address) {
    return reinterpret_cast<T*>(address);
}

// Numbers and addresses one after another out of a tuple.
class Reader {
public:
    explicit Reader(nb::handle tuple) : tuple_(nb::cast<nb::tuple>(tuple)) {}

    Index number() { return nb::cast<Index>(tuple_[next_++]); }

    template <class T>
    T* array() {
        return at<T>(nb::cast<Address>(tuple_[next_++]));
    }
    Layout layout() {
        const Index step = number();
        return {step, number()};
    }

private:
    nb::tuple tuple_;
    std::size_t next_ = 0;
};

// The order of recurra.kernels' Shape; the last number is how many tokens packed arrays have.
Shape read_shape(Reader& from) {
    Shape to{};
    to.cell = static_cast<Cell>(from.number());
    to.T = from.number();
    to.B = from.number();
    to.H = from.number();
    to.lengths = from.array<const Index>();
    to.batch_sizes = from.array<const Index>();
    to.order = from.array<const Index>();
    to.reverse = from.number() != 0;
    to.threads = std::max((int)from.number(), 1);
    to.weight_hh = from.array<const float>();
    to.weight_hn = from.array<const float>();
    to.I = from.number();
    to.input = from.array<const float>();
    to.input_at = from.layout();
    to.weight_ih = from.array<const float>();
    to.h0 = from.array<const float>();
    to.c0 = from.array<const float>();
    to.outputs_at = from.layout();
    return to;
}

void check(const Shape& job, Index tokens) {
    for (Index b = 0; job.lengths && b < job.B; ++b)
        if (job.lengths[b] < 0 || job.lengths[b] > job.T) {
            const auto [low, high] = std::minmax_element(job.lengths, job.lengths + job.B);
            throw std::invalid_argument("lengths must be 0 to T=" + std::to_string(job.T) +
                                        " but reach from " + std::to_string(*low) + " to " +
                                        std::to_string(*high) + ".");
        }
    if (!job.batch_sizes) return;
    Index sum = 0, before = job.B;
    for (Index t = 0; t < job.T; ++t) {
        const Index size = job.batch_sizes[t];
        if (size < 1 || size > before)
            throw std::invalid_argument("batch_sizes must fall from B=" + std::to_string(job.B) +
                                        " and stay above 0 but hold " + std::to_string(size) +
                                        " after " + std::to_string(before) + ".");
        sum += before = size;
    }
    if (sum != tokens)
        throw std::invalid_argument("batch_sizes must sum to the " + std::to_string(tokens) +
                                    " rows of the data but sum to " + std::to_string(sum) + ".");
    for (Index b = 0; job.order && b < job.B; ++b)
        if (job.order[b] < 0 || job.order[b] >= job.B)
            throw std::invalid_argument("the order of the sequences must be of 0 to " +
                                        std::to_string(job.B - 1) + " but holds " +
                                        std::to_string(job.order[b]) + ".");
}

// Null is no ids at all.
void check_ids(const Index* ids, Index count, Index lowest, Index symbols) {
    for (Index i = 0; ids && i < count; ++i)
        if (ids[i] < lowest || ids[i] >= symbols)
            throw std::out_of_range("id " + std::to_string(ids[i]) +
                                    " is out of range: the table has " + std::to_string(symbols) +
                                    " rows");
}

// A direction's shape tuple and its own tuple, then perhaps the other direction's.
void run_forward(nb::args given) {
    std::vector<Forward> jobs;
    std::vector<Index> symbols, tokens;
    for (std::size_t i = 0; i + 1 < given.size(); i += 2) {
        Reader shape(given[i]), from(given[i + 1]);
        Forward to{read_shape(shape)};
        tokens.push_back(shape.number());
        to.x = from.array<const float>();
        to.ids = from.array<const Index>();
        symbols.push_back(from.number());
        to.bias = from.array<const float>();
        to.bias_hh = from.array<const float>();
        to.bias_hn = from.array<const float>();
        to.outputs = from.array<float>();
        to.hN = from.array<float>();
        to.cN = from.array<float>();
        to.gates = from.array<float>();
        to.extra = from.array<float>();
        jobs.push_back(to);
    }
    nb::gil_scoped_release released;
    for (std::size_t i = 0; i < jobs.size(); ++i) {
        check(jobs[i], tokens[i]);
        check_ids(jobs[i].ids, jobs[i].T * jobs[i].B, 0, symbols[i]);
    }
    run_directions(jobs.data(), jobs.size(), chosen_set().forward);
}

void run_backward(nb::args given) {
    std::vector<Backward> jobs;
    std::vector<Index> tokens;
    for (std::size_t i = 0; i + 1 < given.size(); i += 2) {
        Reader shape(given[i]), from(given[i + 1]);
        Backward to{read_shape(shape)};
        tokens.push_back(shape.number());
        to.gates = from.array<float>();
        to.extra = from.array<float>();
        to.outputs = from.array<const float>();
        to.d_outputs = from.array<const float>();
        to.d_outputs_at = from.layout();
        to.d_outputs_same = from.number() != 0;
        to.d_hN = from.array<const float>();
        to.d_cN = from.array<const float>();
        to.d_h0 = from.array<float>();
        to.d_c0 = from.array<float>();
        to.d_input = from.array<float>();
        to.d_weight_ih = from.array<float>();
        to.d_weight_hh = from.array<float>();
        to.d_weight_hn = from.array<float>();
        to.d_bias = from.array<float>();
        to.d_bias_hh = from.array<float>();
        to.d_bias_hn = from.array<float>();
        jobs.push_back(to);
    }
    nb::gil_scoped_release released;
    for (std::size_t i = 0; i < jobs.size(); ++i) check(jobs[i], tokens[i]);
    run_directions(jobs.data(), jobs.size(), chosen_set().backward);
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

// `arrays`: six numbers for each parameter, in the order of recurra.kernels.update.
nb::tuple update(int rule, const std::vector<Index>& arrays, const std::vector<double>& decays,
                 double rate, double momentum_decay, double squares_decay, double epsilon,
                 double clip_value, double clip_norm, int threads) {
    std::vector<Parameter> parameters;
    parameters.reserve(decays.size());
    for (std::size_t i = 0; i < decays.size(); ++i) {
        const auto array = [&](std::size_t which) {
            return at<float>((Address)arrays.at(6 * i + which));
        };
        parameters.push_back({array(0), array(1), array(2), array(3), array(4),
                              arrays.at(6 * i + 5), decays[i]});
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

Index network_room(nb::tuple sizes, bool tied) {
    Reader from(sizes);
    NetworkLoss job = read_network(from);
    float some = 0;
    job.d_projection = &some;
    job.d_embedding = tied ? &some : nullptr;
    return chosen_set().network_room(job);
}

// `sizes` as above; `arrays`: the addresses beside the layers'; `layers`: twelve a layer, in the
// order of LayerLoss. Returns the mean nats.
double network_loss(nb::tuple sizes, nb::tuple arrays, nb::tuple layers, int threads) {
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
    module.def("update", update);
    module.def("network_loss", network_loss);
    module.def("network_room", network_room);
    nb::class_<Sampler>(module, "Sampler").def("run", run_sampler);
    module.def("sampler", make_sampler, nb::rv_policy::take_ownership);
    module.def("available", available);
    module.def("chosen", [] { return std::string(chosen_set().name); });
}
