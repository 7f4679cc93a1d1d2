// gru_reset_before: a step, and directly below it its adjoint. Names and equations are
// cells/gru_reset_before.py's. The candidate needs r of every unit, so a step has two phases, and
// so has its adjoint: between them all units of the step must be done.
#pragma once

#include "rows.hpp"

namespace recurra::RECURRA_SET {

struct GruResetBefore {
    static constexpr int gates = 3, phases = 2;
    static constexpr bool carries = true;

    static Panels forward_panels(int phase, Index H) {
        return phase == 0 ? panels(H, H, 2, 2) : panels(H, H, 4, 1);
    }
    static Panels backward_panels(int phase, Index H) {
        return phase == 0 ? panels(H, 2 * H, 4, 1) : panels(H, H, 4, 1);
    }

    static void pack_forward(int phase, const Panels& p, float* data, Index first, Index last,
                             const Forward& job) {
        const float* b = job.bias;
        const float* starts[3] = {b, b ? b + job.H : b, b ? b + 2 * job.H : b};
        if (phase == 0) pack_rows(p, data, first, last, job.weight_hh, job.H, 2, starts);
        else pack_rows(p, data, first, last, job.weight_hn, job.H, 1, starts + 2);
    }

    static void pack_backward(int phase, const Panels& p, float* data, Index first, Index last,
                              const Backward& job) {
        pack_columns(p, data, first, last, phase == 0 ? job.weight_hh : job.weight_hn, job.H);
    }

    static void forward(int phase, const Panels& w, const Rows<ForwardRow>& rows, const Forward&) {
        if (phase == 0) reset(w, rows);
        else candidate(w, rows);
    }

    static void reset(const Panels& w, const Rows<ForwardRow>& rows) {
        const Index H = rows.hidden;
        for (Index r = 0; r < rows.count; ++r) rows.operand[r] = rows.row[r].h_prev;
        const auto ahead = [&](Index first, int rows_here, Index j) {
            for (Index r = first; r < first + rows_here; ++r) {
                fetch(rows.row[r].x + j * lanes);
                fetch(rows.row[r].x + H + j * lanes);
            }
        };
        const auto finish = [&](Index first, int rows_here, Index j, const float* sums) {
            const Index at = j * lanes, count = H - at;
            for (int index = 0; index < rows_here; ++index, sums += 2 * lanes) {
                const ForwardRow& row = rows.row[first + index];
                const Vec r = sigmoid(load(sums) + load(row.x + at, count));
                const Vec z = sigmoid(load(sums + lanes) + load(row.x + H + at, count));
                store(row.gates + at, r, count);
                store(row.gates + H + at, z, count);
                store(row.extra + at, r * load(row.h_prev + at, count), count);
            }
        };
        const Part part = rows.part;
        sweep<2>(w, part.first(w.count), part.last(w.count), rows.count, {rows.operand, H}, ahead,
                 finish);
    }

    static void candidate(const Panels& w, const Rows<ForwardRow>& rows) {
        const Index H = rows.hidden;
        for (Index r = 0; r < rows.count; ++r) rows.operand[r] = rows.row[r].extra;
        const auto finish = [&](Index index, Index at, Vec product) {
            const ForwardRow& row = rows.row[index];
            const Index count = H - at;
            const Vec n = tanh(product + load(row.x + 2 * H + at, count));
            const Vec z = load(row.gates + H + at, count);
            store(row.gates + 2 * H + at, n, count);
            store(row.h + at, n + z * (load(row.h_prev + at, count) - n), count);
        };
        const auto ahead = [&](const ForwardRow& row, Index at) { fetch(row.x + 2 * H + at); };
        each_vector(w, rows, {rows.operand, H}, ahead, finish);
    }

    static void backward(int phase, const Panels& w, const Rows<BackwardRow>& rows,
                         const Backward&) {
        if (phase == 0) candidate_adjoint(w, rows);
        else reset_adjoint(w, rows);
    }

    // d_z and d_n; the carry is what reaches h past both products.
    static void candidate_adjoint(const Panels& w, const Rows<BackwardRow>& rows) {
        const Index H = rows.hidden;
        const auto finish = [&](Index index, Index at, Vec product) {
            const BackwardRow& row = rows.row[index];
            const Index count = H - at;
            float* gate = row.gates + at;
            const Vec z = load(gate + H, count), n = load(gate + 2 * H, count);
            const Vec dh = product + load(row.carry_in + at, count) + load(row.d_output + at, count);
            store(gate + H, dh * (load(row.h_prev + at, count) - n) * slope_of_sigmoid(z), count);
            store(gate + 2 * H, (dh - dh * z) * slope_of_tanh(n), count);
            store(row.carry + at, dh * z, count);
        };
        from_next(w, rows, finish);
    }

    static void reset_adjoint(const Panels& w, const Rows<BackwardRow>& rows) {
        const Index H = rows.hidden;
        for (Index r = 0; r < rows.count; ++r) rows.operand[r] = rows.row[r].gates + 2 * H;
        const auto finish = [&](Index index, Index at, Vec d_reset_h) {
            const BackwardRow& row = rows.row[index];
            const Index count = H - at;
            const Vec r = load(row.gates + at, count);
            const Vec h_prev = load(row.h_prev + at, count);
            store(row.gates + at, d_reset_h * h_prev * slope_of_sigmoid(r), count);
            store(row.carry + at, load(row.carry + at, count) + d_reset_h * r, count);
        };
        const auto ahead = [&](const BackwardRow& row, Index at) { fetch(row.gates + at); };
        each_vector(w, rows, {rows.operand, H}, ahead, finish);
    }

    // finish(row, first unit, W_hhᵀ (d_r, d_z) of the step after) for every vector of units.
    template <class Finish>
    static void from_next(const Panels& w, const Rows<BackwardRow>& rows, Finish&& finish) {
        for (Index r = 0; r < rows.count; ++r) rows.operand[r] = rows.row[r].gates_next;
        const Index H = rows.hidden;
        const auto ahead = [&](const BackwardRow& row, Index at) {
            fetch(row.gates + H + at);
            fetch(row.gates + 2 * H + at);
            fetch(row.d_output + at);
        };
        each_vector(w, rows, {rows.operand, 2 * H}, ahead, finish);
    }
};

}  // namespace recurra::RECURRA_SET
