// What one step of one sequence reads and writes: addresses, so that a row may lie anywhere.
// The cells fill them with numbers, sequence.hpp with addresses.
#pragma once

#include "job.hpp"
#include "pack.hpp"

namespace recurra::RECURRA_SET {

// One of the participants that share the hidden units of a step; alone it has them all.
struct Part {
    Index index, count;
    Index first(Index n) const { return n * index / count; }
    Index last(Index n) const { return n * (index + 1) / count; }
};

struct ForwardRow {
    const float* x;           // x_gates (G·H,)
    float* gates;             // (G·H,), null where they are not kept; may be x
    float* extra;             // (H,), as job.hpp says
    const float* extra_prev;  // the same of the step before: the lstm's c
    const float* h_prev;      // (H,)
    float* h;                 // (H,)
};

// `next` is the step that came after in time, so before in this pass; zeros where there is none.
struct BackwardRow {
    float* gates;             // in: activated gates; out: gradient of x_gates, (G·H,)
    const float* gates_next;  // gradients already
    float* extra;
    const float* extra_next;
    const float* extra_prev;  // of the step before in time: the lstm's c
    const float* h;
    const float* h_prev;
    const float* d_output;    // gradient of h from outside
    const float* carry_in;    // gradient of h past the product: the final state's, a gru's z * dh
    float* carry;             // grus: where z * dh goes
    float* d_cell;            // lstm: gradient of c, updated
};

template <class Row>
struct Rows {
    Row* row;
    Index count;
    const float** operand;   // room for `count` addresses
    const float** operand2;  // the same
    Index hidden;
    Part part;
};

// finish(row, first unit, product) for every vector of this part's units, one gate wide panels;
// before it ahead(row, first unit), as for sweep.
template <class Row, class Ahead, class Finish>
inline void each_vector(const Panels& w, const Rows<Row>& rows, const Operand& a, Ahead&& ahead,
                        Finish&& finish) {
    const auto before = [&](Index first, int count, Index j) {
        for (Index row = first; row < first + count; ++row)
            for (int c = 0; c < w.width_of(j); ++c) ahead(rows.row[row], j * w.units + c * lanes);
    };
    const auto each = [&](Index first, int count, Index j, const float* sums) {
        for (Index row = first; row < first + count; ++row)
            for (int c = 0; c < w.width_of(j); ++c, sums += lanes)
                finish(row, j * w.units + c * lanes, load(sums));
    };
    const Part part = rows.part;
    sweep<4>(w, part.first(w.count), part.last(w.count), rows.count, a, before, each);
}

// sigmoid's and tanh's derivatives from their values
inline Vec slope_of_sigmoid(Vec y) { return y - y * y; }
inline Vec slope_of_tanh(Vec y) { return 1.0f - y * y; }

}  // namespace recurra::RECURRA_SET
