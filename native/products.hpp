// Products over all steps of a call at once: rows times panels (x_gates of the input, the input's
// gradient), and sums over all tokens (the weights' gradients). Nothing recurrent is here.
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

// Addresses of rows and of where their products go; as many as keep the panels in use a while.
struct Block {
    static constexpr Index most = 128;
    static constexpr Index dealt = 16;  // tokens at a time to each participant in turn
    const float* from[most];
    float* to[most];
    Index count = 0;
};

// Multiplies the block's rows with all panels, one gate wide; the products are `columns` long.
inline void multiply(const Panels& w, Block& block, Index columns) {
    const auto finish = [&](Index first, int rows, Index j, const float* sums) {
        for (Index row = first; row < first + rows; ++row)
            for (int c = 0; c < w.width_of(j); ++c, sums += lanes) {
                const Index at = (j * 4 + c) * lanes;
                store(block.to[row] + at, load(sums), columns - at);
            }
    };
    const auto ahead = [](Index, int, Index) {};
    if (block.count) sweep<4>(w, 0, w.count, block.count, {block.from, w.depth}, ahead, finish);
    block.count = 0;
}

// sums[r][c] = Σ_k a[k][m + r] * panel[k][c]
template <int R, int C>
__attribute__((noinline)) void outer(const float* const* a, Index m, Index depth,
                                     const float* panel, float* sums) {
    Vec acc[R][C] = {};
    for (Index k = 0; k < depth; ++k, panel += 4 * lanes) {
        const float* row = a[k] + m;
        Vec w[C];
#pragma GCC unroll 16
        for (int c = 0; c < C; ++c) w[c] = load(panel + c * lanes);
#pragma GCC unroll 16
        for (int r = 0; r < R; ++r) {
            const Vec value = splat(row[r]);
#pragma GCC unroll 16
            for (int c = 0; c < C; ++c) acc[r][c] += value * w[c];
        }
    }
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 16
        for (int c = 0; c < C; ++c) store(sums + (r * C + c) * lanes, acc[r][c]);
}

template <int R, int C>
inline void outer_of(int rows, const float* const* a, Index m, Index depth, const float* panel,
                     float* sums) {
    if constexpr (R > 0) {
        if (rows == R) return outer<R, C>(a, m, depth, panel, sums);
        outer_of<R - 1, C>(rows, a, m, depth, panel, sums);
    }
}

// Some tokens' rows, and whether sums over them begin or go on.
struct Chunk {
    static constexpr Index most = 128;  // a panel of them lies in the first cache
    const float *gates[most], *extra[most], *h_before[most], *input[most];
    Index count = 0;
    bool begins = true;
};

// A share's part of a matrix that is a sum over tokens: rows [first, last).
struct Target {
    float* to;
    Index columns, first, last;
};

template <int C>
inline void add_panel(const Chunk& chunk, const float* const* a, const float* panel, Index n,
                      const Target& target) {
    constexpr int most = most_rows<C>;
    alignas(64) float sums[most * C * lanes];
    const Index rows = target.last - target.first, blocks = (rows + most - 1) / most;
    for (Index block = 0; block < blocks; ++block) {
        const Index from = target.first + rows * block / blocks;
        const Index to = target.first + rows * (block + 1) / blocks;
        outer_of<most, C>((int)(to - from), a, from, chunk.count, panel, sums);
        const float* sum = sums;
        for (Index m = from; m < to; ++m)
            for (int c = 0; c < C; ++c, sum += lanes) {
                const Index at = n + c * lanes, left = target.columns - at;
                float* place = target.to + m * target.columns + at;
                store(place, chunk.begins ? load(sum) : load(place, left) + load(sum), left);
            }
    }
}

// target[m][n] (+)= Σ_k a[k][m] b[k][n]; `room` holds a chunk's rows four vectors wide.
inline void add_products(const Chunk& chunk, const float* const* a, const float* const* b,
                         const Target& target, float* room) {
    for (Index n = 0; n < target.columns; n += 4 * lanes) {
        const Index left = target.columns - n;
        const int width = left > 3 * lanes ? 4 : (int)((left + lanes - 1) / lanes);
        for (Index k = 0; k < chunk.count; ++k)
            for (int c = 0; c < width; ++c)
                store(room + (k * 4 + c) * lanes, load(b[k] + n + c * lanes, left - c * lanes));
        if (width == 4) add_panel<4>(chunk, a, room, n, target);
        else if (width == 3) add_panel<3>(chunk, a, room, n, target);
        else if (width == 2) add_panel<2>(chunk, a, room, n, target);
        else add_panel<1>(chunk, a, room, n, target);
    }
}

// to[m] (+)= Σ_k a[k][m] for m in [first, last)
inline void add_rows(const Chunk& chunk, const float* const* a, Index first, Index last,
                     float* to) {
    for (Index m = first; m < last; m += lanes) {
        const Index left = last - m;
        Vec sum = chunk.begins ? Vec{} : load(to + m, left);
        for (Index k = 0; k < chunk.count; ++k) sum += load(a[k] + m, left);
        store(to + m, sum, left);
    }
}

// One chunk's terms of every gradient that is a sum over tokens, a participant's part of each.
template <class Kind>
void add_chunk(const Backward& job, const Chunk& chunk, const Part& part, float* room) {
    const Index H = job.H, GH = Kind::gates * H;
    const bool splits = job.cell == Cell::gru || job.cell == Cell::gru_reset_before;
    const Index of_gates = splits ? 2 * H : GH;  // W_hh's rows whose gradient of sums is in gates
    const auto mine = [&](float* to, Index rows, Index columns) {
        return Target{to, columns, part.first(rows), part.last(rows)};
    };
    if (job.d_weight_ih)
        add_products(chunk, chunk.gates, chunk.input, mine(job.d_weight_ih, GH, job.I), room);
    if (job.d_weight_hh)
        add_products(chunk, chunk.gates, chunk.h_before, mine(job.d_weight_hh, of_gates, H), room);
    if (job.d_weight_hh && job.cell == Cell::gru)
        add_products(chunk, chunk.extra, chunk.h_before,
                     mine(job.d_weight_hh + 2 * H * H, H, H), room);
    if (job.d_weight_hn) {
        const float* d_n[Chunk::most];
        for (Index k = 0; k < chunk.count; ++k) d_n[k] = chunk.gates[k] + 2 * H;
        add_products(chunk, d_n, chunk.extra, mine(job.d_weight_hn, H, H), room);
    }
    if (job.d_bias) add_rows(chunk, chunk.gates, part.first(GH), part.last(GH), job.d_bias);
    if (job.d_bias_hh)
        add_rows(chunk, chunk.gates, part.first(of_gates), part.last(of_gates), job.d_bias_hh);
    if (job.d_bias_hn)
        add_rows(chunk, chunk.extra, part.first(H), part.last(H), job.d_bias_hn);
}

// After the last step of all sequences: a participant's part of all that comes from every token.
template <class Kind>
void after_all_steps(const Backward& job, const Panels& input, const Part& part, float* room) {
    const Index H = job.H, GH = Kind::gates * H;
    const bool sums = job.d_weight_ih || job.d_weight_hh || job.d_weight_hn || job.d_bias ||
                      job.d_bias_hh || job.d_bias_hn;
    Chunk chunk;
    Block block;
    Index tokens = 0;
    for (Index t = 0; t < job.T; ++t)
        for (Index b = 0; b < (job.batch_sizes ? job.batch_sizes[t] : job.B); ++b, ++tokens) {
            const Index length = length_of(job, b), token = token_at(job, t, b);
            const bool real = t < length, own = tokens / Block::dealt % part.count == part.index;
            const Index place = row_at(job, job.input_at, t, b);
            const float* before = nullptr;
            if (real) {
                const bool first = t == (job.reverse ? length - 1 : 0);
                const Index back = job.reverse ? t + 1 : t - 1;
                before = first ? job.h0 + (job.order ? job.order[b] : b) * H
                               : job.outputs + row_at(job, job.outputs_at, back, b);
            }
            if (job.h_before && own) {
                float* to = job.h_before + token * H;
                if (real) std::memcpy(to, before, sizeof(float) * (std::size_t)H);
                else std::memset(to, 0, sizeof(float) * (std::size_t)H);
            }
            if (job.d_input && own && !real)
                std::memset(job.d_input + place, 0, sizeof(float) * (std::size_t)job.I);
            if (!real) continue;
            if (job.d_input && own) {
                block.from[block.count] = job.gates + token * GH;
                block.to[block.count] = job.d_input + place;
                if (++block.count == Block::most) multiply(input, block, job.I);
            }
            if (!sums) continue;
            chunk.gates[chunk.count] = job.gates + token * GH;
            chunk.extra[chunk.count] = job.extra ? job.extra + token * H : nullptr;
            chunk.h_before[chunk.count] = before;
            chunk.input[chunk.count] = job.input ? job.input + place : nullptr;
            if (++chunk.count == Chunk::most) {
                add_chunk<Kind>(job, chunk, part, room);
                chunk.count = 0;
                chunk.begins = false;
            }
        }
    if (job.d_input) multiply(input, block, job.I);
    if (sums && (chunk.count || chunk.begins)) add_chunk<Kind>(job, chunk, part, room);
}

}  // namespace recurra::RECURRA_SET
