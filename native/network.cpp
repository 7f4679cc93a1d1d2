// The loss of a whole language model, for one instruction set: layers, projection and the table of
// the first layer's x_gates, each by the kernel that does it alone.
#include "network.hpp"

#include <cmath>

#include "call.hpp"
#include "step.hpp"

namespace recurra::RECURRA_SET {

extern const Set set;

namespace {

Index gates_of(Cell cell) {
    return cell == Cell::lstm ? 4 : cell == Cell::gru || cell == Cell::gru_reset_before ? 3 : 1;
}

// What lies in the room, one array after another.
struct Arrays {
    float *gates, *extra, *outputs;  // (layers, N, …); the gates of cells that keep none: (N, G·H)
    float* d_outputs;                // (N, H), of one layer after the other
    float *table, *d_table;          // (V, G·H): x_gates of every symbol
    float* d_embedding;              // (V, E), where it is added to the projection's
    double* nats;                    // (N,)
    Index gates_apart, extra_apart;  // floats from a layer's to the next one's
};

struct Shelf {  // hands out parts of the room; without one it counts
    float* next;
    Index used = 0;
    float* take(Index count) {
        float* taken = next ? next + used : nullptr;
        used += (count + 15) / 16 * 16;
        return taken;
    }
};

Arrays arrays_of(const NetworkLoss& job, Shelf& room) {
    const Index N = job.T * job.B, GH = gates_of(job.cell) * job.H, L = job.layer_count;
    const bool kept = GH > job.H;
    Arrays at{};
    at.gates_apart = kept ? (N * GH + 15) / 16 * 16 : 0;
    at.extra_apart = (N * job.H + 15) / 16 * 16;
    at.gates = room.take(kept ? L * at.gates_apart : N * GH);
    at.extra = kept ? room.take(L * at.extra_apart) : nullptr;
    at.outputs = room.take(L * at.extra_apart);
    at.d_outputs = room.take(N * job.H);
    at.table = room.take(job.V * GH);
    at.d_table = room.take(job.V * GH);
    if (job.d_embedding == job.d_projection) at.d_embedding = room.take(job.V * job.E);
    at.nats = reinterpret_cast<double*>(room.take(2 * N));
    return at;
}

// What the participants of a table's products share.
struct Table {
    const NetworkLoss& job;
    const Arrays& at;
    Index GH;
    Panels panels;
    float *packed, *room;
    Barrier barrier;
};

// x_gates of every symbol: table[v] = W_ih embedding[v] + b, or column v of W_ih, plus b.
void make_table(Table& all, const Part& part) {
    const NetworkLoss& job = all.job;
    const LayerLoss& layer = job.layers[0];
    const Index GH = all.GH, first = part.first(job.V), last = part.last(job.V);
    if (!job.E) {
        if (part.index) return;
        transpose(layer.weight_ih, GH, job.V, all.at.table, GH);
        for (Index v = 0; v < job.V; ++v)
            for (Index m = 0; m < GH; ++m) all.at.table[v * GH + m] += layer.bias[m];
        return;
    }
    const Panels& w = all.panels;
    pack_rows(w, all.packed, part.first(w.count), part.last(w.count), layer.weight_ih, GH, 1,
              &layer.bias);
    all.barrier.wait((int)part.count);
    Block block;
    for (Index v = first; v < last; ++v) {
        block.from[block.count] = job.embedding + v * job.E;
        block.to[block.count] = all.at.table + v * GH;
        if (++block.count == Block::most || v + 1 == last) multiply(w, block, GH);
    }
}

// From the table's gradient those of what it was made of.
void back_from_table(Table& all, const Part& part) {
    const NetworkLoss& job = all.job;
    const LayerLoss& layer = job.layers[0];
    const Index GH = all.GH, V = job.V, E = job.E;
    const Room room{all.room + part.index * Room::size};
    if (!E && !part.index) transpose(all.at.d_table, V, GH, layer.d_weight_ih, V);
    Chunk chunk;
    for (Index begin = 0; begin < V; begin += Chunk::most, chunk.begins = false) {
        chunk.count = V - begin < Chunk::most ? V - begin : Chunk::most;
        for (Index k = 0; k < chunk.count; ++k) {
            chunk.gates[k] = all.at.d_table + (begin + k) * GH;
            chunk.input[k] = job.embedding + (begin + k) * E;
        }
        add_rows(chunk, chunk.gates, part.first(GH), part.last(GH), layer.d_bias);
        if (E)
            add_products(chunk, chunk.gates, GH, part, room, {chunk.input, E, layer.d_weight_ih},
                         {});
    }
    if (!E) return;
    const Panels& w = all.panels;
    pack_columns(w, all.packed, part.first(w.count), part.last(w.count), layer.weight_ih, E);
    all.barrier.wait((int)part.count);
    const bool tied = all.at.d_embedding;
    float* to = tied ? all.at.d_embedding : job.d_embedding;
    Block block;
    const Index first = part.first(V), last = part.last(V);
    for (Index v = first; v < last; ++v) {
        block.from[block.count] = all.at.d_table + v * GH;
        block.to[block.count] = to + v * E;
        if (++block.count == Block::most || v + 1 == last) multiply(w, block, E);
    }
    for (Index i = first * E; tied && i < last * E; ++i) job.d_embedding[i] += to[i];
}

void with_table(const NetworkLoss& job, const Arrays& at, bool back) {
    constexpr double worth_sharing = 4e5;  // multiplications: some 10 µs of one core
    const Index GH = gates_of(job.cell) * job.H;
    Workspace memory;
    Table all{job, at, GH, {}, nullptr, nullptr, {}};
    if (job.E) all.panels = back ? even_panels(job.E, GH) : even_panels(GH, job.E);
    all.packed = memory.array<float>(floats(all.panels));
    all.panels.data = all.packed;
    if (back) all.room = memory.array<float>(job.threads * Room::size);
    const double work = (double)job.V * (double)job.E * (double)GH;
    struct Both {
        Table& all;
        bool back;
    } both{all, back};
    const auto task = [](void* data, int index, int count) {
        const FlushToZero flush;
        auto& [all, back] = *static_cast<Both*>(data);
        back ? back_from_table(all, {index, count}) : make_table(all, {index, count});
    };
    run_together(work >= worth_sharing ? job.threads : 1, task, &both);
}

Shape shape_of(const NetworkLoss& job, const Arrays& at, Index depth) {
    const LayerLoss& layer = job.layers[depth];
    const Layout rows{job.B * job.H, job.H};
    Shape shape{};
    shape.cell = job.cell;
    shape.T = job.T;
    shape.B = job.B;
    shape.H = job.H;
    shape.threads = job.threads;
    shape.weight_hh = layer.weight_hh;
    shape.weight_hn = job.cell == Cell::gru_reset_before ? layer.other : nullptr;
    shape.h0 = layer.h0;
    shape.c0 = layer.c0;
    shape.outputs_at = rows;
    if (!depth) return shape;
    shape.I = job.H;
    shape.input = at.outputs + (depth - 1) * at.extra_apart;
    shape.input_at = rows;
    shape.weight_ih = layer.weight_ih;
    return shape;
}

void forward_of(const NetworkLoss& job, const Arrays& at, Index depth) {
    const LayerLoss& layer = job.layers[depth];
    Forward pass{};
    static_cast<Shape&>(pass) = shape_of(job, at, depth);
    if (depth) {
        pass.bias = layer.bias;
    } else {
        pass.x = at.table;
        pass.ids = job.ids;
    }
    pass.bias_hn = job.cell == Cell::gru ? layer.other : nullptr;
    pass.outputs = at.outputs + depth * at.extra_apart;
    pass.hN = layer.hN;
    pass.cN = layer.cN;
    if (at.extra) {
        pass.gates = at.gates + depth * at.gates_apart;
        pass.extra = at.extra + depth * at.extra_apart;
    }
    set.forward(pass);
}

// The gradient of the outputs makes way for that of the input.
void backward_of(const NetworkLoss& job, const Arrays& at, Index depth) {
    const LayerLoss& layer = job.layers[depth];
    Backward pass{};
    static_cast<Shape&>(pass) = shape_of(job, at, depth);
    pass.gates = at.gates + depth * at.gates_apart;
    pass.extra = at.extra ? at.extra + depth * at.extra_apart : nullptr;
    pass.outputs = at.outputs + depth * at.extra_apart;
    pass.d_outputs = at.d_outputs;
    pass.d_outputs_at = pass.outputs_at;
    pass.d_weight_hh = layer.d_weight_hh;
    (job.cell == Cell::gru ? pass.d_bias_hn : pass.d_weight_hn) = layer.d_other;
    if (depth) {
        pass.d_input = at.d_outputs;
        pass.d_weight_ih = layer.d_weight_ih;
        pass.d_bias = layer.d_bias;
    }
    set.backward(pass);
}

}  // namespace

void network_loss(NetworkLoss& job) {
    Shelf room{job.room};
    const Arrays at = arrays_of(job, room);
    const Index N = job.T * job.B, L = job.layer_count;
    Index counted = 0;
    for (Index n = 0; n < N; ++n) counted += job.targets[n] >= 0;
    with_table(job, at, false);
    for (Index depth = 0; depth < L; ++depth) forward_of(job, at, depth);
    const double each = counted ? 1.0 / (double)counted : std::nan("");
    set.nats({N, job.H, job.V, at.outputs + (L - 1) * at.extra_apart, job.projection, job.bias,
              job.targets, at.nats, (float)each, at.d_outputs, job.d_projection, job.d_bias,
              job.threads});
    double sum = 0;
    for (Index n = 0; n < N; ++n) sum += at.nats[n];
    job.nats = sum * each;
    for (Index depth = L; depth--;) backward_of(job, at, depth);
    const Index GH = gates_of(job.cell) * job.H;
    set.sum_rows({N, GH, at.gates, job.ids, job.V, at.d_table, job.threads});
    with_table(job, at, true);
}

Index network_room(const NetworkLoss& job) {
    Shelf room{nullptr};
    arrays_of(job, room);
    return room.used;
}

}  // namespace recurra::RECURRA_SET
