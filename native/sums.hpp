// What follows the last step of a backward pass: the gradients that are sums over all tokens, and
// the input's, whose rows come by on the way. Every sum is one chain in a fixed order, as in
// products.hpp.
#pragma once

#include "products.hpp"

namespace recurra::RECURRA_SET {

// For each k C vectors of a row that lies anywhere, `left` numbers of it or as many as they hold; on
// the way they are copied to a panel.
template <int C>
struct OfRows {
    const float* const* rows;
    Index at, left;
    float* panel;
    __attribute__((always_inline)) void operator()(Index k, Vec (&w)[C]) const {
#pragma GCC unroll 16
        for (int c = 0; c < C; ++c) {
            const float* const from = rows[k] + at + c * lanes;
            w[c] = c + 1 < C ? load(from) : load(from, left - c * lanes);
            store(panel + (k * C + c) * lanes, w[c]);
        }
    }
};

// to[r] = Σ_k a[k][r] * weights of k, `left` columns or as many as there are
template <int R, int C, class Weights>
__attribute__((noinline)) void outer(const float* a, Index depth, Weights weights, float* to,
                                     Index stride, Index left) {
    Vec acc[R][C] = {};
    add_terms(acc, depth, weights, [&](int r, Index k) { return a[k * R + r]; });
    put(acc, false, left - (C - 1) * lanes, [&](int r) { return to + r * stride; });
}

// Some tokens' rows, and whether sums over them begin or go on.
struct Chunk {
    static constexpr Index most = 256;
    const float *gates[most], *extra[most], *h_before[most], *input[most];
    Index count = 0;
    bool begins = true;
};

// to (rows, columns) (+)= Σ_k a[k][m] b[k][n], where a's rows are divided among the participants.
// A null `to` is not wanted.
struct Sum {
    const float* const* b;
    Index columns;
    float* to;
};

// A participant's copies of a chunk's numbers in the order in which they are multiplied: of `a` a
// stripe of rows in blocks as high as the tile, of b a panel. Without them 256 rows that lie a
// power of two apart would push each other out of the first cache.
struct Room {
    static constexpr Index high = 384;
    static constexpr Index size = Chunk::most * (high + 4 * lanes);
    static constexpr int most = most_rows<4>;
    float* stripe;
    float* panel() const { return stripe + Chunk::most * high; }
};

inline Index blocks_of(Index rows) { return (rows + Room::most - 1) / Room::most; }

inline void pack_stripe(const Chunk& chunk, const float* const* a, Index first, Index rows,
                        float* stripe) {
    const Index blocks = blocks_of(rows), some = 8;  // lines of `some` tokens stay for a block more
    for (Index begin = 0; begin < chunk.count; begin += some) {
        const Index end = begin + some < chunk.count ? begin + some : chunk.count;
        for (Index block = 0; block < blocks; ++block) {
            const Index from = rows * block / blocks, to = rows * (block + 1) / blocks;
            as_constant<Room::most>((int)(to - from), [&](auto high) {
                float* place = stripe + from * chunk.count + begin * high;
                for (Index k = begin; k < end; ++k, place += high) {
                    fetch(a[k + some < chunk.count ? k + some : k] + first + from);
                    std::memcpy(place, a[k] + first + from, sizeof(float) * high);
                }
            });
        }
    }
}

// The columns [n, n + C vectors) of a sum's rows [first, first + rows). The first block of them
// copies the panel that the others read: by itself that took a tenth of a small layer's backward
// pass.
template <int C>
inline void add_panel(const Chunk& chunk, const Sum& sum, Index first, Index rows, Index n,
                      const Room& room) {
    alignas(64) float sums[Room::most * C * lanes];
    const Index blocks = blocks_of(rows), left = sum.columns - n;
    for (Index block = 0; block < blocks; ++block) {
        const Index from = rows * block / blocks, to = rows * (block + 1) / blocks;
        float* place = sum.to + (first + from) * sum.columns + n;
        for (Index m = from; m < to && !chunk.begins; ++m)
            for (int c = 0; c < C; ++c) fetch(place + (m - from) * sum.columns + c * lanes);
        as_constant<Room::most>((int)(to - from), [&](auto high) {
            const float* stripe = room.stripe + from * chunk.count;
            const auto with = [&](auto weights) {
                if (chunk.begins)
                    return outer<high, C>(stripe, chunk.count, weights, place, sum.columns, left);
                outer<high, C>(stripe, chunk.count, weights, sums, C * lanes, C * lanes);
            };
            if (block) with(OfPanel<C>{room.panel()});
            else with(OfRows<C>{sum.b, n, left, room.panel()});
        });
        const float* one = sums;
        for (Index m = from; m < to && !chunk.begins; ++m, place += sum.columns)
            for (int c = 0; c < C; ++c, one += lanes) {
                float* at = place + c * lanes;
                store(at, load(at, left - c * lanes) + load(one), left - c * lanes);
            }
    }
}

// A participant's rows of two sums that have `a` in common.
inline void add_products(const Chunk& chunk, const float* const* a, Index rows, const Part& part,
                         const Room& room, const Sum& one, const Sum& other) {
    const Index mine = part.first(rows), end = part.last(rows);
    const Index stripes = (end - mine + Room::high - 1) / Room::high;
    for (Index stripe = 0; stripe < stripes && (one.to || other.to); ++stripe) {
        const Part of{stripe, stripes};
        const Index first = mine + of.first(end - mine), count = mine + of.last(end - mine) - first;
        pack_stripe(chunk, a, first, count, room.stripe);
        const Sum* both[] = {&one, &other};
        for (const Sum* sum : both) {
            if (!sum->to) continue;
            // 65 columns are three vectors and two, not four and a slow single one.
            const Index vectors = (sum->columns + lanes - 1) / lanes, panels = (vectors + 3) / 4;
            for (Index j = 0; j < panels; ++j) {
                const Part panel{j, panels};
                const Index from = panel.first(vectors);
                as_constant<4>((int)(panel.last(vectors) - from), [&](auto width) {
                    add_panel<width>(chunk, *sum, first, count, from * lanes, room);
                });
            }
        }
    }
}

// to[m] (+)= Σ_k a[k][m] for m in [first, last)
inline void add_rows(const Chunk& chunk, const float* const* a, Index first, Index last,
                     float* to) {
    constexpr Index most = 8;  // vectors of a row at a time: each sum waits for its last addition
    for (Index m = first; m < last; m += most * lanes) {
        const Index vectors = (last - m + lanes - 1) / lanes;
        as_constant<most>((int)(vectors < most ? vectors : most), [&](auto wide) {
            const Index end = (wide - 1) * lanes, left = last - m - end;  // the last vector's
            Vec sums[wide] = {};
            if (!chunk.begins) {
                for (int c = 0; c + 1 < wide; ++c) sums[c] = load(to + m + c * lanes);
                sums[wide - 1] = load(to + m + end, left);
            }
            for (Index k = 0; k < chunk.count; ++k) {
                for (int c = 0; c + 1 < wide; ++c) sums[c] += load(a[k] + m + c * lanes);
                sums[wide - 1] += load(a[k] + m + end, left);
            }
            for (int c = 0; c + 1 < wide; ++c) store(to + m + c * lanes, sums[c]);
            store(to + m + end, sums[wide - 1], left);
        });
    }
}

// How much of torch's second bias has the gradient of the first: not the gru's b_hn at its end.
inline Index bias_hh_of(Cell cell, Index H, Index GH) { return cell == Cell::gru ? 2 * H : GH; }

// One chunk's terms of every gradient that is a sum over tokens, a participant's part of each.
template <class Kind>
void add_chunk(const Backward& job, const Chunk& chunk, const Part& part, const Room& room) {
    const Index H = job.H, GH = Kind::gates * H;
    const bool splits = job.cell == Cell::gru || job.cell == Cell::gru_reset_before;
    const Index of_gates = splits ? 2 * H : GH;  // W_hh's rows whose gradient of sums is in gates
    const Index GB = bias_hh_of(job.cell, H, GH);
    if (job.d_bias) add_rows(chunk, chunk.gates, part.first(GH), part.last(GH), job.d_bias);
    else if (job.d_bias_hh)
        add_rows(chunk, chunk.gates, part.first(GB), part.last(GB), job.d_bias_hh);
    if (job.d_bias_hn)
        add_rows(chunk, chunk.extra, part.first(H), part.last(H), job.d_bias_hn);
    add_products(chunk, chunk.gates, of_gates, part, room, {chunk.input, job.I, job.d_weight_ih},
                 {chunk.h_before, H, job.d_weight_hh});
    if (splits) {
        const float* d_n[Chunk::most];
        for (Index k = 0; k < chunk.count; ++k) d_n[k] = chunk.gates[k] + 2 * H;
        float* d_weight_in = job.d_weight_ih ? job.d_weight_ih + 2 * H * job.I : nullptr;
        add_products(chunk, d_n, H, part, room, {chunk.input, job.I, d_weight_in},
                     {chunk.extra, H, job.d_weight_hn});
    }
    if (job.d_weight_hh && job.cell == Cell::gru)
        add_products(chunk, chunk.extra, H, part, room,
                     {chunk.h_before, H, job.d_weight_hh + 2 * H * H}, {});
}

// After the last step of all sequences: a participant's part of all that comes from every token.
template <class Kind>
void after_all_steps(const Backward& job, const Panels& input, const Part& part,
                     const Room& room) {
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
            const float* before = nullptr;
            if (real) {
                const bool first = t == (job.reverse ? length - 1 : 0);
                const Index back = job.reverse ? t + 1 : t - 1;
                before = first ? job.h0 + (job.order ? job.order[b] : b) * H
                               : job.outputs + row_at(job, job.outputs_at, back, b);
            }
            float* d_input = job.d_input && own ? job.d_input + row_at(job, job.input_at, t, b)
                                                : nullptr;
            if (d_input && !real)
                std::memset(d_input, 0, sizeof(float) * (std::size_t)job.I);
            if (!real) continue;
            if (d_input) {
                block.from[block.count] = job.gates + token * GH;
                block.to[block.count] = d_input;
                if (++block.count == Block::most) multiply(input, block, job.I);
            }
            if (!sums) continue;
            chunk.gates[chunk.count] = job.gates + token * GH;
            chunk.extra[chunk.count] = job.extra ? job.extra + token * H : nullptr;
            chunk.h_before[chunk.count] = before;
            chunk.input[chunk.count] = job.input ? input_of(job, t, b) : nullptr;
            if (++chunk.count == Chunk::most) {
                add_chunk<Kind>(job, chunk, part, room);
                chunk.count = 0;
                chunk.begins = false;
            }
        }
    if (job.d_input) multiply(input, block, job.I);
    if (sums && (chunk.count || chunk.begins)) add_chunk<Kind>(job, chunk, part, room);
    if (job.d_bias && job.d_bias_hh) {
        const Index first = part.first(GH), end = bias_hh_of(job.cell, H, GH);
        const Index last = part.last(GH) < end ? part.last(GH) : end;
        if (first < last)
            std::memcpy(job.d_bias_hh + first, job.d_bias + first,
                        sizeof(float) * (std::size_t)(last - first));
    }
}

}  // namespace recurra::RECURRA_SET
