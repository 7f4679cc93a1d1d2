// Forward and backward of a layer: outputs against the reference's steps, gradients against
// differences of a loss, and the same bits at any number of threads.
#include <cstdio>
#include <cstring>
#include <thread>

#include "check.hpp"
#include "reference.hpp"
#include "sets.hpp"

namespace {

using namespace recurra;
using namespace reference;

struct Case {
    Cell cell;
    Index T, B, H;
    bool lengths, reverse, table;
};

constexpr Index symbols = 6;        // rows of a table
constexpr double difference = 1e-6;  // of a number, for a gradient: the loss is smooth, so 1e-9 off
constexpr int gradients = 24;        // of a sequence's inputs, drawn: all of them would take hours

// A case's arrays, and what the kernels made of them.
struct Problem {
    Case it;
    Index GH = 0;
    std::vector<Index> lengths, ids;
    Floats x, hh, hn, bias, bias_hn, h0, c0, d_outputs, d_hN, d_cN;
    Floats outputs, hN, cN, gates, extra, d_h0, d_c0;

    explicit Problem(const Case& one, unsigned seed) : it(one), GH(gates_of(one.cell) * one.H) {
        Random random{std::mt19937_64(seed)};
        const Index T = it.T, B = it.B, H = it.H, steps = T * B;
        const double limit = 1 / std::sqrt((double)H);
        x = random.uniform((it.table ? symbols : steps) * GH, 1.5);
        for (Index i = 0; it.table && i < steps; ++i)
            ids.push_back((Index)(random.engine() % symbols));
        // From none to all of the steps, in no order.
        for (Index b = 0; it.lengths && b < B; ++b) lengths.push_back((b * 7 + 3) % (T + 1));
        hh = random.uniform(recurrent_gates_of(it.cell) * H * H, limit);
        if (it.cell == Cell::gru_reset_before) hn = random.uniform(H * H, limit);
        bias = random.uniform(GH, 0.5);
        if (it.cell == Cell::gru) bias_hn = random.uniform(H, 0.5);
        h0 = random.uniform(B * H, 1);
        d_outputs = random.uniform(steps * H, 1);
        d_hN = random.uniform(B * H, 1);
        if (it.cell == Cell::lstm) c0 = random.uniform(B * H, 1), d_cN = random.uniform(B * H, 1);
    }

    Shape shape(int threads) const {
        Shape job{};
        job.cell = it.cell, job.T = it.T, job.B = it.B, job.H = it.H;
        job.lengths = it.lengths ? lengths.data() : nullptr;
        job.reverse = it.reverse, job.threads = threads;
        job.weight_hh = hh.data(), job.weight_hn = hn.empty() ? nullptr : hn.data();
        job.h0 = h0.data(), job.c0 = c0.empty() ? nullptr : c0.data();
        job.outputs_at = {it.B * it.H, it.H};
        return job;
    }

    // `kept`: gates are, so that there can be a backward pass, which comes directly.
    void run(int threads, bool kept) {
        const auto some = [](Floats& array) { return array.empty() ? nullptr : array.data(); };
        const std::size_t steps = (std::size_t)(it.T * it.B), H = (std::size_t)it.H;
        const bool gated = gates_of(it.cell) > 1;
        outputs.assign(steps * H, -1);
        hN.assign(h0.size(), -1), d_h0 = hN;
        cN.assign(c0.size(), -1), d_c0 = cN;
        gates.assign(kept ? steps * (std::size_t)GH : 0, -1);
        extra.assign(kept && gated ? steps * H : 0, -1);
        Forward there{};
        static_cast<Shape&>(there) = shape(threads);
        there.x = x.data(), there.ids = it.table ? ids.data() : nullptr;
        there.bias = bias.data(), there.bias_hn = some(bias_hn);
        there.outputs = outputs.data(), there.hN = hN.data(), there.cN = some(cN);
        there.gates = gated ? some(gates) : nullptr, there.extra = some(extra);
        chosen_set().forward(there);
        if (!kept) return;
        Backward back{};
        static_cast<Shape&>(back) = shape(threads);
        back.gates = gates.data(), back.extra = some(extra), back.outputs = outputs.data();
        back.d_outputs = d_outputs.data(), back.d_outputs_at = back.outputs_at;
        back.d_hN = d_hN.data(), back.d_cN = some(d_cN);
        back.d_h0 = d_h0.data(), back.d_c0 = some(d_c0);
        chosen_set().backward(back);
    }
};

// One sequence of a problem in float64.
struct Sequence {
    const Problem& problem;
    Index b, length;
    Weights weights;
    Numbers x;  // (T, G·H), biases included
    State start;

    Sequence(const Problem& of, Index index)
        : problem(of), b(index), length(of.it.lengths ? of.lengths[index] : of.it.T),
          weights{wide(of.hh), wide(of.hn), wide(of.bias_hn)} {
        const Index T = of.it.T, B = of.it.B, H = of.it.H, GH = of.GH;
        for (Index t = 0; t < T; ++t)
            for (Index i = 0; i < GH; ++i) {
                const Index row = of.it.table ? of.ids[t * B + b] : t * B + b;
                x.push_back((double)of.x[row * GH + i] + of.bias[i]);
            }
        start.h = wide({of.h0.begin() + b * H, of.h0.begin() + (b + 1) * H});
        if (!of.c0.empty()) start.c = wide({of.c0.begin() + b * H, of.c0.begin() + (b + 1) * H});
    }

    // Calls with(t, h) after each step, in the order of computation; returns the final state.
    template <class With>
    State run(With&& with) const {
        State state = start;
        for (Index s = 0; s < length; ++s) {
            const Index t = problem.it.reverse ? length - 1 - s : s;
            step(problem.it.cell, weights, x.data() + t * problem.GH, state);
            with(t, state.h);
        }
        return state;
    }

    // What d_outputs, d_hN and d_cN are the gradients of.
    double loss() const {
        const Index B = problem.it.B, H = problem.it.H;
        double sum = 0;
        const State last = run([&](Index t, const Numbers& h) {
            for (Index u = 0; u < H; ++u) sum += h[u] * problem.d_outputs[(t * B + b) * H + u];
        });
        for (Index u = 0; u < H; ++u) sum += last.h[u] * problem.d_hN[b * H + u];
        for (std::size_t u = 0; u < last.c.size(); ++u) sum += last.c[u] * problem.d_cN[b * H + u];
        return sum;
    }

    double slope(double& number) {
        const double before = number;
        number = before + difference;
        const double above = loss();
        number = before - difference;
        const double below = loss();
        number = before;
        return (above - below) / (2 * difference);
    }
};

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

// b_hn's gradient is the sum of what the gru's `extra` became: q's gradients.
double slope_of_bias_hn(const Problem& p, Index unit) {
    double sum = 0;
    for (Index b = 0; b < p.it.B; ++b) {
        Sequence one(p, b);
        sum += one.slope(one.weights.bias_hn[unit]);
    }
    return sum;
}

bool same(const Floats& a, const Floats& b) {
    return a.size() == b.size() &&
           (a.empty() || !std::memcmp(a.data(), b.data(), a.size() * sizeof(float)));
}

bool same_bits(const Problem& a, const Problem& b) {
    return same(a.outputs, b.outputs) && same(a.hN, b.hN) && same(a.cN, b.cN) &&
           same(a.gates, b.gates) && same(a.d_h0, b.d_h0) && same(a.d_c0, b.d_c0);
}

int failure(const Case& it, const char* what, double found) {
    std::fprintf(stderr, "%s T=%ld B=%ld H=%ld%s%s%s: %s %.3g\n", name_of(it.cell), (long)it.T,
                 (long)it.B, (long)it.H, it.lengths ? " lengths" : "", it.reverse ? " reverse" : "",
                 it.table ? " table" : "", what, found);
    return 1;
}

int check_case(const Case& it, unsigned seed) {
    Problem problem(it, seed);
    problem.run(1, true);
    Random random{std::mt19937_64(seed + 1)};
    Error outputs, state, of_x, of_state, of_bias;
    for (Index b = 0; b < it.B; ++b) {
        Sequence one(problem, b);
        check_outputs(one, outputs, state);
        check_gradients(one, random, of_x, of_state);
    }
    if (it.cell == Cell::gru) {
        const Index unit = it.H - 1;
        double sum = 0;
        for (Index token = 0; token < it.T * it.B; ++token) sum += problem.extra[token * it.H + unit];
        of_bias.add(sum, slope_of_bias_hn(problem, unit));
    }
    int failed = 0;
    // docs/kernels.md's bounds of outputs and gradients
    if (outputs.relative() > 1e-6) failed += failure(it, "outputs are off by", outputs.relative());
    if (state.relative() > 1e-6) failed += failure(it, "state is off by", state.relative());
    if (of_x.relative() > 1e-5) failed += failure(it, "d_x is off by", of_x.relative());
    if (of_state.relative() > 1e-5) failed += failure(it, "d_h0 is off by", of_state.relative());
    if (of_bias.relative() > 1e-5) failed += failure(it, "d_b_hn is off by", of_bias.relative());
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

constexpr Cell cells[] = {Cell::rnn, Cell::relu_rnn, Cell::lstm, Cell::gru, Cell::gru_reset_before};

}  // namespace

int check::sequences() {
    // ones; odd; off the width of vectors; many rows; units divided among threads
    const Index sizes[][3] = {{1, 1, 1}, {7, 3, 5}, {5, 4, 17}, {9, 13, 33}, {4, 2, 130}};
    int failed = 0;
    unsigned seed = 0;
    for (const Cell cell : cells)
        for (const auto& [T, B, H] : sizes)
            for (int way = 0; way < 4; ++way)
                failed += check_case({cell, T, B, H, way > 1, way % 2 == 1, way % 3 == 0}, ++seed);
    return failed;
}

int check::together() {
    int failed = 0;
    for (const Cell cell : cells) {
        const Case it{cell, 20, 8, 40, true, false, false};
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
