// rnn and relu_rnn (irnn is the same equation): a step, and directly below it its adjoint.
#pragma once

#include "rows.hpp"

namespace recurra::RECURRA_SET {

struct Tanh {
    static Vec of(Vec x) { return tanh(x); }
    static Vec back(Vec dy, Vec y) { return dy * slope_of_tanh(y); }
};

struct Relu {
    // NaN stays and lets its gradient through, as in torch; a closed unit lets none, inf neither.
    static Vec of(Vec x) { return x < 0.0f ? Vec{} : x; }
    static Vec back(Vec dy, Vec y) { return y <= 0.0f ? Vec{} : dy; }
};

template <class Activation>
struct Rnn {
    static constexpr int gates = 1, phases = 1;
    static constexpr bool carries = false;

    static Panels forward_panels(int, Index H) { return panels(H, H, 4, 1); }
    static Panels backward_panels(int, Index H) { return panels(H, H, 4, 1); }

    static void pack_forward(int, const Panels& p, float* data, Index first, Index last,
                             const Forward& job) {
        pack_rows(p, data, first, last, job.weight_hh, job.H, 1, &job.bias);
    }

    static void pack_backward(int, const Panels& p, float* data, Index first, Index last,
                              const Backward& job) {
        pack_columns(p, data, first, last, job.weight_hh, job.H);
    }

    static void forward(int, const Panels& w, const Rows<ForwardRow>& rows, const Forward&) {
        for (Index r = 0; r < rows.count; ++r) rows.operand[r] = rows.row[r].h_prev;
        const auto finish = [&](Index r, Index at, Vec product) {
            const ForwardRow& row = rows.row[r];
            const Index n = rows.hidden - at;
            store(row.h + at, Activation::of(product + load(row.x + at, n)), n);
        };
        const auto ahead = [&](const ForwardRow& row, Index at) { fetch(row.x + at); };
        each_vector(w, rows, {rows.operand, rows.hidden}, ahead, finish);
    }

    static void backward(int, const Panels& w, const Rows<BackwardRow>& rows, const Backward&) {
        const auto finish = [&](Index r, Index at, Vec product) {
            const BackwardRow& row = rows.row[r];
            const Index n = rows.hidden - at;
            const Vec dh = product + load(row.carry_in + at, n) + load(row.d_output + at, n);
            store(row.gates + at, Activation::back(dh, load(row.h + at, n)), n);
        };
        from_next(w, rows, finish);
    }

    // finish(row, first unit, W_hhᵀ d of the step after) for every vector of units.
    template <class Finish>
    static void from_next(const Panels& w, const Rows<BackwardRow>& rows, Finish&& finish) {
        for (Index r = 0; r < rows.count; ++r) rows.operand[r] = rows.row[r].gates_next;
        const auto ahead = [&](const BackwardRow& row, Index at) {
            fetch(row.h + at);
            fetch(row.d_output + at);
        };
        each_vector(w, rows, {rows.operand, rows.hidden}, ahead, finish);
    }
};

}  // namespace recurra::RECURRA_SET
