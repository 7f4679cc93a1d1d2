// lstm: a step, and directly below it its adjoint. Names and equations are cells/lstm.py's.
#pragma once

#include "rows.hpp"

namespace recurra::RECURRA_SET {

struct Lstm {
    static constexpr int gates = 4, phases = 1;
    static constexpr bool carries = false;

    static Panels forward_panels(int, Index H) { return panels(H, H, 4, 4); }
    static Panels backward_panels(int, Index H) { return panels(H, 4 * H, 4, 1); }

    static void pack_forward(int, const Panels& p, float* data, Index first, Index last,
                             const Forward& job) {
        const float* b = job.bias;
        const Index H = job.H;
        const float* starts[4] = {b, b ? b + H : b, b ? b + 2 * H : b, b ? b + 3 * H : b};
        pack_rows(p, data, first, last, job.weight_hh, H, 4, starts);
    }

    static void pack_backward(int, const Panels& p, float* data, Index first, Index last,
                              const Backward& job) {
        pack_columns(p, data, first, last, job.weight_hh, job.H);
    }

    static void forward(int, const Panels& w, const Rows<ForwardRow>& rows, const Forward&) {
        const Index H = rows.hidden;
        for (Index r = 0; r < rows.count; ++r) rows.operand[r] = rows.row[r].h_prev;
        const auto ahead = [&](Index first, int count, Index j) {
            for (Index r = first; r < first + count; ++r) {
                const float* x = rows.row[r].x + j * lanes;
                for (int gate = 0; gate < 4; ++gate) fetch(x + gate * H);
                fetch(rows.row[r].extra_prev + j * lanes);
            }
        };
        // In two loops: the gates of a block are independent of each other, and so are its cells;
        // row by row each tanh would wait for the sigmoids before it.
        const auto finish = [&](Index first, int count, Index j, float* sums) {
            const Index at = j * lanes, n = H - at;
            for (int r = 0; r < count; ++r) {
                const float* x = rows.row[first + r].x + at;
                float* sum = sums + r * 4 * lanes;
                store(sum, sigmoid(load(sum) + load(x, n)));
                store(sum + lanes, sigmoid(load(sum + lanes) + load(x + H, n)));
                store(sum + 2 * lanes, tanh(load(sum + 2 * lanes) + load(x + 2 * H, n)));
                store(sum + 3 * lanes, sigmoid(load(sum + 3 * lanes) + load(x + 3 * H, n)));
            }
            for (int r = 0; r < count; ++r) {
                const ForwardRow& row = rows.row[first + r];
                const float* sum = sums + r * 4 * lanes;
                const Vec i = load(sum), f = load(sum + lanes);
                const Vec g = load(sum + 2 * lanes), o = load(sum + 3 * lanes);
                const Vec c = f * load(row.extra_prev + at, n) + i * g;
                store(row.extra + at, c, n);
                store(row.h + at, o * tanh(c), n);
                if (!row.gates) continue;
                float* gate = row.gates + at;
                store(gate, i, n);
                store(gate + H, f, n);
                store(gate + 2 * H, g, n);
                store(gate + 3 * H, o, n);
            }
        };
        const Part part = rows.part;
        sweep<4>(w, part.first(w.count), part.last(w.count), rows.count, {rows.operand, H}, ahead,
                 finish);
    }

    static void backward(int, const Panels& w, const Rows<BackwardRow>& rows, const Backward&) {
        const Index H = rows.hidden;
        const auto finish = [&](Index r, Index at, Vec product) {
            const BackwardRow& row = rows.row[r];
            const Index n = H - at;
            float* gate = row.gates + at;
            const Vec i = load(gate, n), f = load(gate + H, n);
            const Vec g = load(gate + 2 * H, n), o = load(gate + 3 * H, n);
            const Vec tanh_c = tanh(load(row.extra + at, n));
            const Vec dh = product + load(row.carry_in + at, n) + load(row.d_output + at, n);
            const Vec dc = load(row.d_cell + at, n) + dh * o * slope_of_tanh(tanh_c);
            store(gate, dc * g * slope_of_sigmoid(i), n);
            store(gate + H, dc * load(row.extra_prev + at, n) * slope_of_sigmoid(f), n);
            store(gate + 2 * H, dc * i * slope_of_tanh(g), n);
            store(gate + 3 * H, dh * tanh_c * slope_of_sigmoid(o), n);
            store(row.d_cell + at, dc * f, n);
        };
        from_next(w, rows, finish);
    }

    // finish(row, first unit, W_hhᵀ d of the step after) for every vector of units.
    template <class Finish>
    static void from_next(const Panels& w, const Rows<BackwardRow>& rows, Finish&& finish) {
        for (Index r = 0; r < rows.count; ++r) rows.operand[r] = rows.row[r].gates_next;
        const Index H = rows.hidden;
        const auto ahead = [&](const BackwardRow& row, Index at) {
            for (int gate = 0; gate < 4; ++gate) fetch(row.gates + gate * H + at);
            fetch(row.extra + at);
            fetch(row.extra_prev + at);
            fetch(row.d_output + at);
        };
        each_vector(w, rows, {rows.operand, 4 * H}, ahead, finish);
    }
};

}  // namespace recurra::RECURRA_SET
