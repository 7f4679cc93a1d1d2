// The equations of one step, for sums that are made already: cells/ has them with their sources.
// What lstm.hpp and the others beside it do with a whole sequence, a Sampler does with one step of
// one sequence, in place, and keeps nothing for a backward pass.
#pragma once

#include "simd.hpp"

namespace recurra::RECURRA_SET::sampling {

// One sequence. `sums` are the products with h and where they start, P numbers a gate.
struct Row {
    const float* sums;
    Index H, P;
    const float* x;  // x_gates (G·H,)
    float* h;        // (H,), read and written
    float* extra;    // (H,): the lstm's c, read and written; gru_reset_before's r * h
    float* z;        // (H,), gru_reset_before's, from its first phase to its second
};

// Each cell: its gates, and in each phase how many of them are multiplied, and its equations for
// the n units at `at`. Between phases all units of the step must be done.
struct RnnTanh {
    static constexpr int gates = 1, phases = 1, blocks[] = {1};
    static void step(int, const Row& row, Index at, Index n) {
        store(row.h + at, tanh(load(row.sums + at) + load(row.x + at, n)), n);
    }
};

struct RnnRelu {
    static constexpr int gates = 1, phases = 1, blocks[] = {1};
    static void step(int, const Row& row, Index at, Index n) {
        const Vec sum = load(row.sums + at) + load(row.x + at, n);
        store(row.h + at, sum < 0.0f ? Vec{} : sum, n);  // NaN stays, as in torch
    }
};

struct Lstm {
    static constexpr int gates = 4, phases = 1, blocks[] = {4};
    static void step(int, const Row& row, Index at, Index n) {
        const Index H = row.H, P = row.P;
        const float *sums = row.sums + at, *x = row.x + at;
        const Vec i = sigmoid(load(sums) + load(x, n));
        const Vec f = sigmoid(load(sums + P) + load(x + H, n));
        const Vec g = tanh(load(sums + 2 * P) + load(x + 2 * H, n));
        const Vec o = sigmoid(load(sums + 3 * P) + load(x + 3 * H, n));
        const Vec c = f * load(row.extra + at, n) + i * g;
        store(row.extra + at, c, n);
        store(row.h + at, o * tanh(c), n);
    }
};

struct Gru {
    static constexpr int gates = 3, phases = 1, blocks[] = {3};
    static void step(int, const Row& row, Index at, Index n) {
        const Index H = row.H, P = row.P;
        const float *sums = row.sums + at, *x = row.x + at;
        const Vec r = sigmoid(load(sums) + load(x, n));
        const Vec z = sigmoid(load(sums + P) + load(x + H, n));
        const Vec candidate = tanh(load(x + 2 * H, n) + r * load(sums + 2 * P));
        store(row.h + at, candidate + z * (load(row.h + at, n) - candidate), n);
    }
};

struct GruResetBefore {
    static constexpr int gates = 3, phases = 2, blocks[] = {2, 1};
    static void step(int phase, const Row& row, Index at, Index n) {
        const Index H = row.H;
        const float *sums = row.sums + at, *x = row.x + at;
        const Vec h = load(row.h + at, n);
        if (phase == 0) {
            store(row.extra + at, h * sigmoid(load(sums) + load(x, n)), n);
            store(row.z + at, sigmoid(load(sums + row.P) + load(x + H, n)), n);
        } else {
            const Vec candidate = tanh(load(sums) + load(x + 2 * H, n));
            store(row.h + at, candidate + load(row.z + at, n) * (h - candidate), n);
        }
    }
};

}  // namespace recurra::RECURRA_SET::sampling
