// gru, which resets after the product: a step, and directly below it its adjoint. Names and
// equations are cells/gru.py's; q is W_hn h + b_hn, which the adjoint needs and tanh hides.
#pragma once

#include "rows.hpp"

namespace recurra::RECURRA_SET {

struct Gru {
    static constexpr int gates = 3, phases = 1;
    static constexpr bool carries = true;

    static Panels forward_panels(int, Index H) { return panels(H, H, 3, 3); }
    static Panels backward_panels(int, Index H) { return panels(H, 3 * H, 4, 1); }

    static void pack_forward(int, const Panels& p, float* data, Index first, Index last,
                             const Forward& job) {
        const float* b = job.bias;
        const float* starts[3] = {b, b ? b + job.H : b, job.bias_hn};
        pack_rows(p, data, first, last, job.weight_hh, job.H, 3, starts);
    }

    static void pack_backward(int, const Panels& p, float* data, Index first, Index last,
                              const Backward& job) {
        pack_columns(p, data, first, last, job.weight_hh, job.H);
    }

    static void forward(int, const Panels& w, const Rows<ForwardRow>& rows, const Forward& job) {
        const Index H = rows.hidden;
        const float* bias_n = job.bias ? job.bias + 2 * H : nullptr;  // not among the sums: r * q
        for (Index r = 0; r < rows.count; ++r) rows.operand[r] = rows.row[r].h_prev;
        const auto ahead = [&](Index first, int count, Index j) {
            for (Index r = first; r < first + count; ++r) {
                const float* x = rows.row[r].x + j * lanes;
                for (int gate = 0; gate < 3; ++gate) fetch(x + gate * H);
            }
        };
        // In two loops, as the lstm: n would wait for its own r. One copy for all calls: of two the
        // compiler may fuse x_n + r * q in one alone, and one row would have other bits than many.
        const auto finish = [&](Index first, int rows_here, Index j, float* sums)
                                __attribute__((noinline)) {
            const Index at = j * lanes, count = H - at;
            for (int index = 0; index < rows_here; ++index) {
                const float* x = rows.row[first + index].x + at;
                float* sum = sums + index * 3 * lanes;
                store(sum, sigmoid(load(sum) + load(x, count)));
                store(sum + lanes, sigmoid(load(sum + lanes) + load(x + H, count)));
            }
            for (int index = 0; index < rows_here; ++index) {
                const ForwardRow& row = rows.row[first + index];
                const float* sum = sums + index * 3 * lanes;
                const Vec r = load(sum), z = load(sum + lanes), q = load(sum + 2 * lanes);
                Vec x_n = load(row.x + 2 * H + at, count);
                if (bias_n) x_n += load(bias_n + at, count);
                const Vec n = tanh(x_n + r * q);
                store(row.h + at, n + z * (load(row.h_prev + at, count) - n), count);
                if (!row.gates) continue;
                float* gate = row.gates + at;
                store(gate, r, count);
                store(gate + H, z, count);
                store(gate + 2 * H, n, count);
                store(row.extra + at, q, count);
            }
        };
        const Part part = rows.part;
        sweep<3>(w, part.first(w.count), part.last(w.count), rows.count, {rows.operand, H}, ahead,
                 finish);
    }

    static void backward(int, const Panels& w, const Rows<BackwardRow>& rows, const Backward&) {
        const Index H = rows.hidden;
        const auto finish = [&](Index index, Index at, Vec product) {
            const BackwardRow& row = rows.row[index];
            const Index count = H - at;
            float* gate = row.gates + at;
            const Vec r = load(gate, count), z = load(gate + H, count);
            const Vec n = load(gate + 2 * H, count), q = load(row.extra + at, count);
            const Vec dh = product + load(row.carry_in + at, count) + load(row.d_output + at, count);
            const Vec dn = (dh - dh * z) * slope_of_tanh(n);
            store(gate, dn * q * slope_of_sigmoid(r), count);
            store(gate + H, dh * (load(row.h_prev + at, count) - n) * slope_of_sigmoid(z), count);
            store(gate + 2 * H, dn, count);
            store(row.extra + at, dn * r, count);
            store(row.carry + at, dh * z, count);
        };
        from_next(w, rows, finish);
    }

    // finish(row, first unit, W_hhᵀ (d_r, d_z, d_q) of the step after) for every vector of units.
    template <class Finish>
    static void from_next(const Panels& w, const Rows<BackwardRow>& rows, Finish&& finish) {
        for (Index r = 0; r < rows.count; ++r) {
            rows.operand[r] = rows.row[r].gates_next;
            rows.operand2[r] = rows.row[r].extra_next;
        }
        const Index H = rows.hidden;
        const auto ahead = [&](const BackwardRow& row, Index at) {
            for (int gate = 0; gate < 3; ++gate) fetch(row.gates + gate * H + at);
            fetch(row.extra + at);
            fetch(row.d_output + at);
        };
        each_vector(w, rows, {rows.operand, 2 * H, rows.operand2, H}, ahead, finish);
    }
};

}  // namespace recurra::RECURRA_SET
