// Forward and backward of a layer: outputs against the reference's steps, gradients against
// differences of a loss, and the same bits at any number of threads.
#include <cstdio>
#include <cstring>
#include <thread>

#include "check.hpp"
#include "problem.hpp"

namespace {

using namespace problem;

constexpr int gradients = 24;  // of a sequence's inputs, drawn: all of them would take hours

void check_outputs(const Sequence& one, Error& outputs, Error& state) {
    const Problem& p = one.problem;
    const Index T = p.it.T, B = p.it.B, H = p.it.H;
    Numbers expected((std::size_t)(T * H));  // zero past the end
    const State last = one.run([&](Index t, const Numbers& h) {
        std::copy(h.begin(), h.end(), expected.begin() + t * H);
    });
    for (Index t = 0; t < T; ++t)
        for (Index u = 0; u < H; ++u)
            outputs.add(p.outputs[(t * B + one.b) * H + u], expected[t * H + u]);
    for (Index u = 0; u < H; ++u) state.add(p.hN[one.b * H + u], last.h[u]);
    for (std::size_t u = 0; u < last.c.size(); ++u) state.add(p.cN[one.b * H + u], last.c[u]);
}

void check_gradients(Sequence& one, Random& random, Error& of_x, Error& of_state) {
    const Problem& p = one.problem;
    const Index B = p.it.B, H = p.it.H, GH = p.GH;
    for (int i = 0; i < gradients; ++i) {
        const Index at = (Index)(random.engine() % one.x.size());
        of_x.add(p.gates[(at / GH * B + one.b) * GH + at % GH], one.slope(one.x[at]));
        const Index unit = (Index)(random.engine() % (std::uint64_t)H);
        of_state.add(p.d_h0[one.b * H + unit], one.slope(one.start.h[unit]));
        if (p.d_c0.empty()) continue;
        of_state.add(p.d_c0[one.b * H + unit], one.slope(one.start.c[unit]));
    }
}

// Weights of the recurrence, drawn: the sum of every sequence's differences.
Error check_weights(const Problem& p, Random& random) {
    Error error;
    const auto add = [&](const Floats& found, Numbers Weights::* which) {
        for (int i = 0; i < gradients / 4 && !found.empty(); ++i) {
            const std::size_t at = random.engine() % found.size();
            double expected = 0;
            for (Index b = 0; b < p.it.B; ++b) {
                Sequence one(p, b);
                expected += one.slope((one.weights.*which)[at]);
            }
            error.add(found[at], expected);
        }
    };
    add(p.d_hh, &Weights::hh);
    add(p.d_hn, &Weights::hn);
    add(p.d_bias_hn, &Weights::bias_hn);
    return error;
}

// What the gradient of x_gates, checked already, gives for an input, its weight and the bias.
Error check_products(const Problem& p) {
    Error error;
    const Index steps = p.it.T * p.it.B, GH = p.GH;
    Numbers bias((std::size_t)GH), ih(p.ih.size());
    for (Index token = 0; token < steps; ++token) {
        Numbers input((std::size_t)input_size);
        for (Index g = 0; g < GH; ++g) {
            const double gate = p.gates[token * GH + g];
            bias[g] += gate;
            for (Index i = 0; i < input_size && !p.ih.empty(); ++i) {
                ih[g * input_size + i] += gate * p.input[token * input_size + i];
                input[i] += gate * p.ih[g * input_size + i];
            }
        }
        for (Index i = 0; i < input_size && !p.ih.empty(); ++i)
            error.add(p.d_input[token * input_size + i], input[i]);
    }
    for (Index g = 0; g < GH; ++g) error.add(p.d_bias[g], bias[g]);
    for (std::size_t i = 0; i < ih.size(); ++i) error.add(p.d_ih[i], ih[i]);
    return error;
}

bool same(const Floats& a, const Floats& b) {
    return a.size() == b.size() &&
           (a.empty() || !std::memcmp(a.data(), b.data(), a.size() * sizeof(float)));
}

bool same_bits(const Problem& a, const Problem& b) {
    return same(a.outputs, b.outputs) && same(a.hN, b.hN) && same(a.cN, b.cN) &&
           same(a.gates, b.gates) && same(a.d_h0, b.d_h0) && same(a.d_c0, b.d_c0) &&
           same(a.d_input, b.d_input) && same(a.d_ih, b.d_ih) && same(a.d_hh, b.d_hh) &&
           same(a.d_hn, b.d_hn) && same(a.d_bias, b.d_bias) && same(a.d_bias_hn, b.d_bias_hn);
}

constexpr const char* sources[] = {"", " table", " input"};

int failure(const Case& it, const char* what, double found) {
    std::fprintf(stderr, "%s T=%ld B=%ld H=%ld%s%s%s: %s %.3g\n", name_of(it.cell), (long)it.T,
                 (long)it.B, (long)it.H, it.lengths ? " lengths" : "", it.reverse ? " reverse" : "",
                 sources[(int)it.source], what, found);
    return 1;
}

int check_case(const Case& it, unsigned seed) {
    Problem problem(it, seed);
    problem.run(1, true);
    Random random{std::mt19937_64(seed + 1)};
    Error outputs, state, of_x, of_state;
    for (Index b = 0; b < it.B; ++b) {
        Sequence one(problem, b);
        check_outputs(one, outputs, state);
        check_gradients(one, random, of_x, of_state);
    }
    int failed = 0;
    const auto bound = [&](const char* what, const Error& error, double most) {
        if (error.relative() > most) failed += failure(it, what, error.relative());
    };
    // docs/kernels.md's bounds of outputs and gradients; and float32 sums of some hundred products
    bound("outputs are off by", outputs, 1e-6);
    bound("the state is off by", state, 1e-6);
    bound("d_x is off by", of_x, 1e-5);
    bound("the state's gradient is off by", of_state, 1e-5);
    bound("the weights' gradients are off by", check_weights(problem, random), 1e-5);
    bound("products of d_x are off by", check_products(problem), 2e-6);
    for (const int threads : {2, 3}) {
        Problem other(it, seed);
        other.run(threads, true);
        if (!same_bits(problem, other)) failed += failure(it, "other bits with threads", threads);
    }
    Problem unkept(it, seed);
    unkept.run(1, false);
    if (!same(unkept.outputs, problem.outputs) || !same(unkept.hN, problem.hN) ||
        !same(unkept.cN, problem.cN))
        failed += failure(it, "other bits where gates are not kept", 0);
    return failed;
}

}  // namespace

int check::sequences() {
    // ones; odd; off the width of vectors; many rows; units divided among threads
    const Index sizes[][3] = {{1, 1, 1}, {7, 3, 5}, {5, 4, 17}, {9, 13, 33}, {4, 2, 130}};
    int failed = 0;
    unsigned seed = 0;
    for (const Cell cell : cells)
        for (const auto& [T, B, H] : sizes)
            for (int way = 0; way < 4; ++way)
                for (const Source source : {Source::x_gates, Source::table, Source::input})
                    failed += check_case({cell, T, B, H, way > 1, way % 2 == 1, source}, ++seed);
    return failed;
}

int check::together() {
    int failed = 0;
    for (const Cell cell : cells) {
        const Case it{cell, 20, 8, 40, true, false, Source::input};
        Problem alone(it, 1);
        alone.run(1, true);
        std::vector<Problem> problems(4, alone);
        std::vector<std::thread> threads;
        for (Problem& problem : problems)
            threads.emplace_back([&problem] {
                for (int turn = 0; turn < 5; ++turn) problem.run(2, true);
            });
        for (std::thread& thread : threads) thread.join();
        for (const Problem& problem : problems)
            if (!same_bits(problem, alone)) failed += failure(it, "other bits in a crowd", 0);
    }
    return failed;
}
