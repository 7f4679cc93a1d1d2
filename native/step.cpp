// The loss and sums of rows, for one instruction set. Compiled once for each, as set.cpp is.
#include "step.hpp"

#include <math.h>

#include "rows.hpp"
#include "team.hpp"

namespace recurra::RECURRA_SET {
namespace {

constexpr Index worth_a_team = 30000;  // numbers: some 10 µs of one core
constexpr Index block = 16 * lanes;    // of a row in one float32 sum; thousands would lose digits

float largest(const float* x, Index n) {
    Vec most = splat(x[0]);
    Index at = 0;
    for (; at + lanes <= n; at += lanes) {
        const Vec some = load(x + at);
        most = some > most ? some : most;
    }
    float parts[lanes];
    store(parts, most);
    for (int half = lanes / 2; half; half /= 2)
        for (int i = 0; i < half; ++i)
            parts[i] = parts[i + half] > parts[i] ? parts[i + half] : parts[i];
    float found = parts[0];
    for (; at < n; ++at) found = x[at] > found ? x[at] : found;
    return found;
}

// In halves: lane after lane each addition would wait for the one before.
float sum(Vec x) {
    float parts[lanes];
    store(parts, x);
    for (int half = lanes / 2; half; half /= 2)
        for (int i = 0; i < half; ++i) parts[i] += parts[i + half];
    return parts[0];
}

// The first n lanes, the others zero.
Vec leading(Vec x, Index n) {
    if (n >= lanes) return x;
    float part[lanes];
    store(part, x);
    return load(part, n);
}

// −ln p(target) of one token; its gradient where there is room for it.
double token_nats(const float* logits, Index V, Index target, float* gradient, float scale) {
    const float high = largest(logits, V);
    double total = 0;
    for (Index from = 0; from < V; from += block) {
        const Index end = from + block < V ? from + block : V;
        Vec sums{};
        for (Index at = from; at < end; at += lanes) {
            const Vec e = leading(exp(load(logits + at, V - at) - high), V - at);
            if (gradient) store(gradient + at, e, V - at);
            sums += e;
        }
        total += sum(sums);
    }
    if (gradient) {
        const float factor = (float)(scale / total);
        for (Index at = 0; at < V; at += lanes)
            store(gradient + at, factor * load(gradient + at, V - at), V - at);
        gradient[target] -= scale;
    }
    return log(total) + ((double)high - (double)logits[target]);
}

template <class Job, class Share>
void shared(const Job& job, bool worth, Share share) {
    struct Both {
        const Job& job;
        Share& share;
    } both{job, share};
    const auto task = [](void* data, int index, int count) {
        const auto& [job, share] = *static_cast<Both*>(data);
        const FlushToZero flush;
        share(job, Part{index, count});
    };
    run_together(worth ? job.threads : 1, task, &both);
}

}  // namespace

void nats(const Nats& job) {
    shared(job, job.tokens * job.symbols >= worth_a_team, [](const Nats& job, Part part) {
        const Index V = job.symbols;
        for (Index n = part.first(job.tokens); n < part.last(job.tokens); ++n) {
            float* gradient = job.gradient ? job.gradient + n * V : nullptr;
            job.nats[n] = 0;
            if (job.targets[n] >= 0)
                job.nats[n] =
                    token_nats(job.logits + n * V, V, job.targets[n], gradient, job.scale);
            else if (gradient)
                for (Index at = 0; at < V; ++at) gradient[at] = 0;
        }
    });
}

// Each thread has columns of its own, so that a sum's order does not depend on how many there are.
void sum_rows(const RowSums& job) {
    shared(job, job.count * job.width >= worth_a_team, [](const RowSums& job, Part part) {
        const Index W = job.width, vectors = (W + lanes - 1) / lanes;
        const Index first = part.first(vectors) * lanes, end = part.last(vectors) * lanes;
        const Index last = end < W ? end : W;
        for (Index v = 0; v < job.symbols; ++v)
            for (Index at = first; at < last; ++at) job.sums[v * W + at] = 0;
        for (Index n = 0; n < job.count; ++n) {
            const float* row = job.rows + n * W;
            float* sums = job.sums + job.ids[n] * W;
            for (Index at = first; at < last; at += lanes)
                store(sums + at, load(sums + at, last - at) + load(row + at, last - at), last - at);
        }
    });
}

}  // namespace recurra::RECURRA_SET
