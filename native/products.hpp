// Products over all steps of a call at once, rows times panels: x_gates of the input, the input's
// gradient. Nothing recurrent is here.
//
// Every sum is one chain in a fixed order, however the work is shared out: the same bits at any
// number of threads.
#pragma once

#include "rows.hpp"

namespace recurra::RECURRA_SET {

inline Index row_at(const Shape& job, const Layout& at, Index t, Index b) {
    return (job.starts ? job.starts[t] : t) * at.step + b * at.sequence;
}
inline Index token_at(const Shape& job, Index t, Index b) {
    return job.starts ? job.starts[t] + b : t * job.B + b;
}

// A token's row of the input.
inline const float* input_of(const Shape& job, Index t, Index b) {
    if (job.ids) return job.input + job.ids[token_at(job, t, b)] * job.I;
    return job.input + row_at(job, job.input_at, t, b);
}

// Addresses of rows and of where their products go; as many as keep the panels in use a while.
struct Block {
    static constexpr Index most = 128;
    static constexpr Index dealt = 16;  // tokens at a time to each participant in turn
    static constexpr Index deep = 512;  // of a panel at a time: it stays in the second cache
    const float* from[most];
    float* to[most];
    Index count = 0;
};

// to[r] (+)= starts + Σ_k rows[r][k] * panel[k], `left` columns or as many as the panel has.
// Meanwhile it fetches `step` numbers from `next` on for each k: the rows after these, where they
// lie behind them.
template <int R, int C>
__attribute__((noinline)) void product_into(const float* const* rows, Index depth,
                                            const float* panel, const float* starts,
                                            float* const* to, Index at, Index left, bool adds,
                                            const float* next, Index step) {
    Vec acc[R][C];
    const float* row[R];
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
        row[r] = rows[r];
#pragma GCC unroll 16
        for (int c = 0; c < C; ++c) acc[r][c] = load(starts + c * lanes);
    }
    add_terms(acc, depth, OfPanel<C>{panel}, [&](int r, Index k) {
        if (r == 0) fetch(next + k * step);
        return row[r][k];
    });
    put(acc, adds, left - (C - 1) * lanes, [&](int r) { return to[r] + at; });
}

// Multiplies the block's rows with all panels, one gate wide; the products are `columns` long.
inline void multiply(const Panels& w, Block& block, Index columns) {
    constexpr int most = most_rows<4>;
    const Index blocks = (block.count + most - 1) / most;
    for (Index k = 0; block.count && k < w.depth; k += Block::deep) {
        const Index depth = w.depth - k < Block::deep ? w.depth - k : Block::deep;
        for (Index j = 0; j < w.count; ++j) {
            const float *panel = w.panel(j), *starts = k ? no_starts : panel;
            const Index at = j * w.units;
            as_constant<4>(w.width_of(j), [&](auto width) {
                const float* terms = panel + (k + 1) * width * lanes;
                for (Index some = 0; some < blocks; ++some) {
                    const Index from = block.count * some / blocks;
                    const Index to = block.count * (some + 1) / blocks;
                    const bool follows = !j && depth == w.depth && to < block.count;
                    const float* next = block.from[follows ? to : from];
                    const Index step = follows ? to - from : 0;
                    as_constant<most>((int)(to - from), [&](auto high) {
                        product_into<high, width>(block.from + from, depth, terms, starts,
                                                  block.to + from, at, columns - at, k > 0, next,
                                                  step);
                    });
                }
            });
        }
        for (Index row = 0; row < block.count; ++row) block.from[row] += depth;
    }
    block.count = 0;
}

}  // namespace recurra::RECURRA_SET
