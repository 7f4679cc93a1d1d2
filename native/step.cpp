// The loss and sums of rows, for one instruction set. Compiled once for each, as set.cpp is.
#include "step.hpp"

#include <math.h>

#include "call.hpp"

namespace recurra::RECURRA_SET {
namespace {

constexpr Index worth_a_team = 30000;   // numbers: some 10 µs of one core
constexpr double worth_sharing = 4e5;   // multiplications: the same
constexpr Index block = 16 * lanes;    // of a row in one float32 sum; thousands would lose digits

template <int N>
struct Lanes {
    typedef float Type __attribute__((vector_size(4 * N)));
};

// All lanes in one: the first half with the second, until one is left. Through memory, or lane
// after lane, each operation would wait long for the one before.
template <int N = lanes, class Both>
float folded(typename Lanes<N>::Type x, Both&& both) {
    if constexpr (N == 2) {
        return both(x[0], x[1]);
    } else {
        typename Lanes<N / 2>::Type halves[2];
        std::memcpy(halves, &x, sizeof x);
        return folded<N / 2>(both(halves[0], halves[1]), both);
    }
}

constexpr auto larger = [](auto a, auto b) { return a > b ? a : b; };

float largest(const float* x, Index n) {
    if (n < lanes) {
        float found = x[0];
        for (Index at = 1; at < n; ++at) found = larger(x[at], found);
        return found;
    }
    Vec most = load(x + n - lanes);
    for (Index at = 0; at + lanes < n; at += lanes) most = larger(load(x + at), most);
    return folded(most, larger);
}

float sum(Vec x) {
    return folded(x, [](auto a, auto b) { return a + b; });
}

// −ln p(target) of one token; with `scale` the gradient of scale · that takes the logits' place.
double token_nats(float* logits, Index V, Index target, const float* scale) {
    const float high = largest(logits, V), aim = logits[target];
    double total = 0;
    for (Index from = 0; from < V; from += block) {
        const Index end = from + block < V ? from + block : V;
        Vec sums{};
        Index at = from;
        for (; at + lanes <= end; at += lanes) {
            const Vec e = exp(load(logits + at) - high);
            if (scale) store(logits + at, e);
            sums += e;
        }
        if (at < end) {
            float left[lanes];
            store(left, exp(load(logits + at, end - at) - high));
            const Vec e = load(left, end - at);
            if (scale) store(logits + at, e, end - at);
            sums += e;
        }
        total += sum(sums);
    }
    if (scale) {
        const Vec factor = splat((float)(*scale / total));
        Index at = 0;
        for (; at + lanes <= V; at += lanes) store(logits + at, factor * load(logits + at));
        if (at < V) store(logits + at, factor * load(logits + at, V - at), V - at);
        logits[target] -= *scale;
    }
    return log(total) + ((double)high - (double)aim);
}

// What the participants of a call of `nats` share.
struct Projection {
    const Nats& job;
    Panels to_logits, to_rows;  // weight in the order of either product; to_rows empty if not wanted
    float *packed, *packed_back;
    Index chunk;    // tokens
    float* logits;  // (2, chunk, V): one is read while the other is written
    float* room;    // (participants, Room::size)
    Barrier barrier;
};

// A participant's part: of every chunk some tokens' logits and what goes back to their rows, and of
// the sums over tokens some symbols'.
void project(Projection& all, const Part& part) {
    const Nats& job = all.job;
    const Index V = job.symbols, H = job.hidden;
    const float* starts[] = {job.bias};
    const Panels &w = all.to_logits, &back = all.to_rows;
    pack_rows(w, all.packed, part.first(w.count), part.last(w.count), job.weight, V, 1, starts);
    if (job.d_rows)
        pack_columns(back, all.packed_back, part.first(back.count), part.last(back.count),
                     job.weight, H);
    all.barrier.wait((int)part.count);
    const bool sums = job.d_weight || job.d_bias;
    const float* scale = job.d_rows || sums ? &job.scale : nullptr;
    const Room room{all.room + part.index * Room::size};
    Chunk tokens;
    for (Index begin = 0, turn = 0; begin < job.tokens; begin += all.chunk, turn = 1 - turn) {
        tokens.count = all.chunk < job.tokens - begin ? all.chunk : job.tokens - begin;
        float* logits = all.logits + turn * all.chunk * V;
        const Index last = part.last(tokens.count);
        for (Index from = part.first(tokens.count); from < last; from += Block::most) {
            const Index to = from + Block::most < last ? from + Block::most : last;
            Block block;
            for (Index n = from; n < to; ++n) {
                block.from[block.count] = job.rows + (begin + n) * H;
                block.to[block.count++] = logits + n * V;
            }
            multiply(w, block, V);
            for (Index n = from; n < to; ++n) {
                const Index target = job.targets[begin + n];
                job.nats[begin + n] =
                    target < 0 ? 0 : token_nats(logits + n * V, V, target, scale);
                if (target < 0) std::memset(logits + n * V, 0, sizeof(float) * (std::size_t)V);
                if (!job.d_rows) continue;
                block.from[block.count] = logits + n * V;
                block.to[block.count++] = job.d_rows + (begin + n) * H;
            }
            if (job.d_rows) multiply(back, block, H);
        }
        // Without sums too: the last chunk is shorter, so its parts lie in what others had before.
        all.barrier.wait((int)part.count);
        if (!sums) continue;
        for (Index n = 0; n < tokens.count; ++n) {
            tokens.gates[n] = logits + n * V;
            tokens.input[n] = job.rows + (begin + n) * H;
        }
        if (job.d_bias) add_rows(tokens, tokens.gates, part.first(V), part.last(V), job.d_bias);
        add_products(tokens, tokens.gates, V, part, room, {tokens.input, H, job.d_weight}, {});
        tokens.begins = false;
    }
}

}  // namespace

void nats(const Nats& job) {
    constexpr Index numbers = Index{1} << 22;  // of logits at a time: 16 MB
    Workspace memory;
    const Index V = job.symbols, fit = numbers / V;
    Projection all{job, even_panels(V, job.hidden), {}, nullptr, nullptr, 0, nullptr, nullptr, {}};
    if (job.d_rows) all.to_rows = even_panels(job.hidden, V);
    all.packed = memory.array<float>(floats(all.to_logits));
    all.packed_back = memory.array<float>(floats(all.to_rows));
    all.to_logits.data = all.packed;
    all.to_rows.data = all.packed_back;
    all.chunk = fit < 32 ? 32 : fit < Chunk::most ? fit : Chunk::most;
    if (all.chunk > job.tokens) all.chunk = job.tokens;
    all.logits = memory.array<float>(2 * all.chunk * V);
    all.room = memory.array<float>(job.threads * Room::size);
    if (!job.tokens) {
        if (job.d_weight) std::memset(job.d_weight, 0, sizeof(float) * (std::size_t)(V * job.hidden));
        if (job.d_bias) std::memset(job.d_bias, 0, sizeof(float) * (std::size_t)V);
    }
    const double work = (double)job.tokens * (double)V * (double)job.hidden;
    const auto task = [](void* data, int index, int count) {
        const FlushToZero flush;
        project(*static_cast<Projection*>(data), {index, count});
    };
    run_together(work >= worth_sharing ? job.threads : 1, task, &all);
}

// All clear the table together, whole rows each; then each has columns of its own, so that a sum's
// order does not depend on how many there are.
void sum_rows(const RowSums& job) {
    struct All {
        const RowSums& job;
        Barrier barrier;
    } all{job, {}};
    const auto task = [](void* data, int index, int count) {
        auto& [job, barrier] = *static_cast<All*>(data);
        const FlushToZero flush;
        const Part part{index, count};
        const Index W = job.width, vectors = (W + lanes - 1) / lanes;
        clear(job.sums + part.first(job.symbols) * W,
              (part.last(job.symbols) - part.first(job.symbols)) * W);
        barrier.wait(count);
        const Index first = part.first(vectors) * lanes, end = part.last(vectors) * lanes;
        const Index last = end < W ? end : W;
        for (Index n = 0; n < job.count; ++n) {
            const float* row = job.rows + n * W;
            float* sums = job.sums + job.ids[n] * W;
            for (Index at = first; at < last; at += lanes)
                store(sums + at, load(sums + at, last - at) + load(row + at, last - at), last - at);
        }
    };
    expect_writes(job.sums, job.symbols * job.width);
    const bool worth = (job.count + job.symbols) * job.width >= worth_a_team;
    run_together(worth ? job.threads : 1, task, &all);
}

}  // namespace recurra::RECURRA_SET
