// A layer's two calls for Python, one direction or both. recurra.kernels and recurra.fused have
// checked the arrays' types and layout. Checked here are shapes, since anybody may put other tensors
// into a module, and the numbers in lengths, batch_sizes, order and ids.
#include <algorithm>
#include <utility>
#include <vector>

#include "binding.hpp"
#include "plan.hpp"
#include "sets.hpp"

namespace recurra {
namespace {

// The order of recurra.kernels' LayerSize. The second of two directions reads the last step first.
struct Size {
    explicit Size(nb::handle numbers) {
        Reader from(numbers);
        cell = static_cast<Cell>(from.number());
        T = from.number();
        B = from.number();
        H = from.number();
        width = from.number();
        rows = from.number();
        tokens = from.number();
        batch_first = from.number() != 0;
        reverse = from.number() != 0;
        directions = from.number();
        stacked = from.number() != 0;
    }

    Cell cell;
    Index T, B, H;
    Index width;   // of a row of what is read: I of x, or G·H of x_gates
    Index rows;    // of that where it is a table
    Index tokens;  // N
    bool batch_first, reverse;
    Index directions;
    bool stacked;  // states are (D, B, H), else (B, H)

    // A state of the second direction stands behind that of the first.
    Index state(Index direction) const { return direction * B * H; }

    // Of rows of that width, packed where the source is.
    Layout layout(Index row, bool packed) const {
        if (packed) return {row, row};
        return batch_first ? Layout{row, T * row} : Layout{B * row, row};
    }
};

Index gates_of(Cell cell) {
    switch (cell) {
        case Cell::lstm: return 4;
        case Cell::gru:
        case Cell::gru_reset_before: return 3;
        default: return 1;
    }
}

template <class T>
T* behind(T* array, Index count) {
    return array ? array + count : nullptr;
}

// The arrays of a direction's weights, or of their gradients. Where the source is null `ih` is that
// direction's x_gates instead, and null going back: their gradient stands where gates stood.
template <class T>
struct Weights {
    Weights(Reader& from, const Size& size, bool of_input, bool table) {
        const Index H = size.H, GH = gates_of(size.cell) * H;
        const bool splits = size.cell == Cell::gru_reset_before;  // W_hn by itself
        ih = of_input ? from.array<T>("weight_ih", {GH, size.width})
             : table  ? from.array<T>("the table of x_gates", {size.rows, GH})
                      : from.array<T>("x_gates", {size.T, size.B, GH});
        hh = from.array<T>("weight_hh", {splits ? 2 * H : GH, H});
        bias = from.array<T>("bias", {GH});
        bias_hh = from.array<T>("bias_hh", {GH});
        other = splits ? from.array<T>("weight_hn", {H, H}) : from.array<T>("bias_hn", {H});
    }

    // Of gru, whose second bias from torch has it at its end; `other` is the cell's own.
    T* bias_hn(const Size& size) const {
        if (size.cell != Cell::gru) return nullptr;
        return other ? other : behind(bias_hh, 2 * size.H);
    }
    // Of gru_reset_before.
    T* hn(const Size& size) const { return size.cell == Cell::gru_reset_before ? other : nullptr; }

    T *ih, *hh, *bias, *bias_hh, *other;
};

// What forward leaves for backward, in the order of fused/_call.py: the same for both calls. The
// shapes are asked for each time: hooks of torch or an assignment to `data` may have put others in
// its place since.
struct Left {
    Left(nb::handle arrays, const Size& size) : from(arrays) {
        const Index B = size.B, H = size.H, D = size.directions, GH = gates_of(size.cell) * H;
        lengths = from.array<const Index>("lengths", {B});
        batch_sizes = from.array<const Index>("batch_sizes", {size.T});
        order = from.array<const Index>("the order", {B});
        ids = from.array<const Index>("ids", {size.T, B});
        source = ids ? from.array<const float>("the input", {size.rows, size.width})
                     : rows<const float>("the input", size, size.width);
        h0 = state("h0", size);
        c0 = state("c0", size);
        for (Index d = 0; d < D; ++d) weights.emplace_back(from, size, source, ids);
        for (const auto& one : weights)
            if (!one.hh || (source && !one.ih) ||
                (size.cell == Cell::gru_reset_before && !one.other))
                throw std::invalid_argument("a weight matrix that the cell needs is None.");
        for (Index d = 0; d < D; ++d)
            gates.push_back(from.array<float>("the gates", {size.tokens, GH}));
        for (Index d = 0; d < D; ++d)
            extra.push_back(from.array<float>("what is left of a step", {size.tokens, H}));
        outputs = rows<float>("the output", size, D * H);
    }

    template <class T>
    T* rows(const char* name, const Size& size, Index width) {
        if (batch_sizes) return from.array<T>(name, {size.tokens, width});
        if (size.batch_first) return from.array<T>(name, {size.B, size.T, width});
        return from.array<T>(name, {size.T, size.B, width});
    }
    const float* state(const char* name, const Size& size) {
        if (size.stacked) return from.array<const float>(name, {size.directions, size.B, size.H});
        return from.array<const float>(name, {size.B, size.H});
    }

    Reader from;
    const Index *lengths, *batch_sizes, *order, *ids;
    const float *source, *h0, *c0;
    std::vector<Weights<const float>> weights;
    std::vector<float*> gates, extra;
    float* outputs;
};

Shape shape_of(const Size& size, const Left& left, Index direction, int threads) {
    const Weights<const float>& weights = left.weights[direction];
    Shape to{};
    to.cell = size.cell;
    to.T = size.T;
    to.B = size.B;
    to.H = size.H;
    to.lengths = left.lengths;
    to.batch_sizes = left.batch_sizes;
    to.order = left.order;
    to.reverse = size.reverse || direction;
    to.threads = std::max(threads, 1);
    to.weight_hh = weights.hh;
    to.weight_hn = weights.hn(size);
    to.I = left.source ? size.width : 0;
    to.ids = left.ids;
    to.input = left.source;
    to.input_at = size.layout(to.I, left.batch_sizes);
    to.weight_ih = left.source ? weights.ih : nullptr;
    to.h0 = behind(left.h0, size.state(direction));
    to.c0 = behind(left.c0, size.state(direction));
    to.outputs_at = size.layout(size.directions * size.H, left.batch_sizes);
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
        if (size < 1 || size > before || (t == 0 && size < job.B))
            throw std::invalid_argument("batch_sizes must begin with B=" + std::to_string(job.B) +
                                        ", fall and stay above 0 but hold " + std::to_string(size) +
                                        (t ? " after " + std::to_string(before) : " first") + ".");
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

// `left`: what comes in, and gates, extra and outputs to be filled; `final`: each field's.
void forward(nb::handle numbers, nb::handle arrays, nb::handle final, int threads) {
    const Size size(numbers);
    const Left left(arrays, size);
    Reader fields(final);
    float* hN = fields.array<float>();
    float* cN = fields.count() > 1 ? fields.array<float>() : nullptr;
    std::vector<Forward> jobs;
    for (Index d = 0; d < size.directions; ++d) {
        const Weights<const float>& weights = left.weights[d];
        Forward to{shape_of(size, left, d, threads)};
        to.x = left.source ? nullptr : weights.ih;
        to.bias = weights.bias;
        to.bias_hh = weights.bias_hh;
        to.bias_hn = weights.bias_hn(size);
        to.outputs = left.outputs + d * size.H;
        to.hN = hN + size.state(d);
        to.cN = behind(cN, size.state(d));
        to.gates = left.gates[d];
        to.extra = left.extra[d];
        jobs.push_back(to);
    }
    nb::gil_scoped_release released;
    check(jobs[0], size.tokens);
    check_ids(left.ids, size.tokens, 0, size.rows);
    run_directions(jobs.data(), jobs.size(), chosen_set().forward);
}

// `above`: the outputs' gradient, its Layout, and whether all of it is its first number; `final`:
// the gradient of each field; `found`: room for that of h0, c0 and each direction's weights;
// `inputs`: for the input's by each direction, or empty. None is zero where it comes in, not wanted
// where it goes out.
void backward(nb::handle numbers, nb::handle arrays, nb::handle above, nb::handle final,
              nb::handle found, nb::handle inputs, int threads) {
    const Size size(numbers);
    const Left left(arrays, size);
    Reader from_above(above), fields(final), to_found(found), to_inputs(inputs);
    const float* d_outputs = from_above.array<const float>();
    const Index step = from_above.number();
    const Layout d_outputs_at{step, from_above.number()};
    const bool same = from_above.number() != 0;
    const float* d_hN = fields.array<const float>();
    const float* d_cN = fields.count() > 1 ? fields.array<const float>() : nullptr;
    float* d_h0 = to_found.array<float>();
    float* d_c0 = to_found.array<float>();
    std::vector<Backward> jobs;
    for (Index d = 0; d < size.directions; ++d) {
        const Weights<float> weights(to_found, size, left.source, left.ids);
        Backward to{shape_of(size, left, d, threads)};
        to.gates = left.gates[d];
        to.extra = left.extra[d];
        to.outputs = left.outputs + d * size.H;
        to.d_outputs = behind(d_outputs, same ? 0 : d * size.H);
        to.d_outputs_at = d_outputs_at;
        to.d_outputs_same = same;
        to.d_hN = behind(d_hN, size.state(d));
        to.d_cN = behind(d_cN, size.state(d));
        to.d_h0 = behind(d_h0, size.state(d));
        to.d_c0 = behind(d_c0, size.state(d));
        to.d_input = to_inputs.count() ? to_inputs.array<float>() : nullptr;
        to.d_weight_ih = weights.ih;
        to.d_weight_hh = weights.hh;
        to.d_weight_hn = weights.hn(size);
        to.d_bias = weights.bias;
        to.d_bias_hh = weights.bias_hh;
        to.d_bias_hn = weights.bias_hn(size);
        jobs.push_back(to);
    }
    nb::gil_scoped_release released;
    check(jobs[0], size.tokens);
    check_ids(left.ids, size.tokens, 0, size.rows);
    run_directions(jobs.data(), jobs.size(), chosen_set().backward);
}

}  // namespace

void bind_layer(nb::module_& module) {
    module.def("forward", forward);
    module.def("backward", backward);
}

}  // namespace recurra
