// A layer's arrays, the call of the kernels on them, and each of its sequences in float64.
#pragma once

#include "reference.hpp"
#include "sets.hpp"

namespace problem {

using namespace recurra;
using namespace reference;

enum class Source { x_gates, table, input };  // what a layer reads

struct Case {
    Cell cell;
    Index T, B, H;
    bool lengths, reverse;
    Source source;
};

inline constexpr Index symbols = 6, input_size = 5;  // rows of a table; of an input
inline constexpr double difference = 1e-6;  // of a number, for a gradient: the loss is smooth

// A case's arrays, and what the kernels made of them.
struct Problem {
    Case it;
    Index GH = 0;
    std::vector<Index> lengths, ids;
    Floats x, input, ih, hh, hn, bias, bias_hn, h0, c0, d_outputs, d_hN, d_cN;
    Floats outputs, hN, cN, gates, extra, d_h0, d_c0;
    Floats d_input, d_ih, d_hh, d_hn, d_bias, d_bias_hn;

    explicit Problem(const Case& one, unsigned seed) : it(one), GH(gates_of(one.cell) * one.H) {
        Random random{std::mt19937_64(seed)};
        const Index T = it.T, B = it.B, H = it.H, steps = T * B;
        const double limit = 1 / std::sqrt((double)H);
        const bool table = it.source == Source::table;
        if (it.source == Source::input) {
            input = random.uniform(steps * input_size, 1);
            ih = random.uniform(GH * input_size, 0.6);
        } else {
            x = random.uniform((table ? symbols : steps) * GH, 1.5);
        }
        for (Index i = 0; table && i < steps; ++i)
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

    // `kept`: gates are, so that there can be a backward pass, which comes directly.
    void run(int threads, bool kept) {
        const std::size_t steps = (std::size_t)(it.T * it.B), H = (std::size_t)it.H;
        const bool gated = gates_of(it.cell) > 1;
        outputs.assign(steps * H, -1);
        hN.assign(h0.size(), -1), d_h0 = hN;
        cN.assign(c0.size(), -1), d_c0 = cN;
        gates.assign(kept ? steps * (std::size_t)GH : 0, -1);
        extra.assign(kept && gated ? steps * H : 0, -1);
        d_input.assign(input.size(), -1), d_ih.assign(ih.size(), -1);
        d_hh.assign(hh.size(), -1), d_hn.assign(hn.size(), -1);
        d_bias.assign(bias.size(), -1), d_bias_hn.assign(bias_hn.size(), -1);
        chosen_set().forward(forward_job(threads));
        if (kept) chosen_set().backward(backward_job(threads));
    }

private:
    static float* some(Floats& array) { return array.empty() ? nullptr : array.data(); }

    template <class Job>
    Job shape(int threads) {
        Job job{};
        job.cell = it.cell, job.T = it.T, job.B = it.B, job.H = it.H;
        job.lengths = it.lengths ? lengths.data() : nullptr;
        job.reverse = it.reverse, job.threads = threads;
        job.weight_hh = hh.data(), job.weight_hn = some(hn);
        job.I = input_size, job.input = some(input), job.weight_ih = some(ih);
        job.input_at = {it.B * input_size, input_size};
        job.h0 = h0.data(), job.c0 = some(c0);
        job.outputs_at = {it.B * it.H, it.H};
        return job;
    }

    Forward forward_job(int threads) {
        auto job = shape<Forward>(threads);
        job.x = some(x), job.ids = ids.empty() ? nullptr : ids.data();
        job.bias = bias.data(), job.bias_hn = some(bias_hn);
        job.outputs = outputs.data(), job.hN = hN.data(), job.cN = some(cN);
        const bool gated = gates_of(it.cell) > 1;
        job.gates = gated ? some(gates) : nullptr, job.extra = some(extra);
        return job;
    }

    Backward backward_job(int threads) {
        auto job = shape<Backward>(threads);
        job.gates = gates.data(), job.extra = some(extra), job.outputs = outputs.data();
        job.d_outputs = d_outputs.data(), job.d_outputs_at = job.outputs_at;
        job.d_hN = d_hN.data(), job.d_cN = some(d_cN);
        job.d_h0 = d_h0.data(), job.d_c0 = some(d_c0);
        job.d_input = some(d_input), job.d_weight_ih = some(d_ih);
        job.d_weight_hh = d_hh.data(), job.d_weight_hn = some(d_hn);
        job.d_bias = d_bias.data(), job.d_bias_hn = some(d_bias_hn);
        return job;
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
        for (Index t = 0; t < T; ++t) {
            const Index token = t * B + b, row = of.ids.empty() ? token : of.ids[token];
            Numbers gates;
            if (of.ih.empty()) {
                gates = wide({of.x.begin() + row * GH, of.x.begin() + (row + 1) * GH});
            } else {
                const auto at = of.input.begin() + token * input_size;
                gates = product(wide(of.ih), GH, wide({at, at + input_size}));
            }
            for (Index i = 0; i < GH; ++i) x.push_back(gates[i] + of.bias[i]);
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

}  // namespace problem
