// The matrix product of a step: rows of h times a packed panel of weights, in registers.
//
// A panel is C vectors wide: one vector of hidden units for each of the C gates, or C vectors of
// units where there is one gate. It holds C vectors that the sums start from, then for each k the C
// vectors that h[k] is multiplied with. Every sum runs over k from first to last in one chain, at
// any number of rows: a sequence's bits do not depend on its batch, on threads or on alignment.
// Of panels with one gate the last is only as wide as the units that are left.
#pragma once

#include "simd.hpp"

namespace recurra::RECURRA_SET {

struct Panels {
    const float* data;
    Index depth;  // how many k
    Index count;
    Index units;  // hidden units a panel covers
    int width;    // C
    int last;     // the last panel's

    int width_of(Index j) const { return j + 1 < count ? width : last; }
    Index stride() const { return (depth + 1) * width * lanes; }
    const float* panel(Index j) const { return data + j * stride(); }
};

template <int N>
struct Constant {
    constexpr operator int() const { return N; }
};

// Calls with(constant) for the constant from 1 to N that equals n.
template <int N, class With>
inline void as_constant(int n, With&& with) {
    if constexpr (N > 0) {
        if (n == N) return with(Constant<N>{});
        as_constant<N - 1>(n, with);
    }
}

// As many rows as leave registers for the C weights and the value of h: 32 registers where there
// are 16 or on arm64's 4 lanes, 16 otherwise.
#if defined(__AVX512F__) || defined(__aarch64__)
template <int C> inline constexpr int most_rows = C == 4 ? 6 : 8;
#else
template <int C> inline constexpr int most_rows = C == 4 ? 3 : C == 3 ? 4 : 6;
#endif

// For each k a panel's C vectors: it streams from the second cache, fetched eight k ahead.
template <int C>
struct OfPanel {
    const float* panel;
    __attribute__((always_inline)) void operator()(Index k, Vec (&w)[C]) const {
        const float* at = panel + k * C * lanes;
#pragma GCC unroll 16
        for (int c = 0; c < C; ++c) {
            if (c * lanes % 16 == 0) __builtin_prefetch(at + (C * 8 + c) * lanes);
            w[c] = load(at + c * lanes);
        }
    }
};

// acc[r][c] += Σ_k of(r, k) * w[c], where weights(k, w) gives those. Unrolled by pragma, or the
// sums would not stay in registers.
template <int R, int C, class Weights, class Of>
__attribute__((always_inline)) inline void add_terms(Vec (&acc)[R][C], Index depth,
                                                     Weights&& weights, Of&& of) {
    for (Index k = 0; k < depth; ++k) {
        Vec w[C];
        weights(k, w);
#pragma GCC unroll 16
        for (int r = 0; r < R; ++r) {
            const Vec value = splat(of(r, k));
#pragma GCC unroll 16
            for (int c = 0; c < C; ++c) acc[r][c] += value * w[c];
        }
    }
}

// Stores the sums, or adds them to what is there: row r's at place(r), the last vector's first
// `last` numbers.
template <int R, int C, class Place>
__attribute__((always_inline)) inline void put(Vec (&acc)[R][C], bool adds, Index last,
                                               Place&& place) {
#pragma GCC unroll 16
    for (int r = 0; r < R && adds; ++r) {
#pragma GCC unroll 16
        for (int c = 0; c + 1 < C; ++c) acc[r][c] += load(place(r) + c * lanes);
        acc[r][C - 1] += load(place(r) + (C - 1) * lanes, last);
    }
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 16
        for (int c = 0; c + 1 < C; ++c) store(place(r) + c * lanes, acc[r][c]);
        store(place(r) + (C - 1) * lanes, acc[r][C - 1], last);
    }
}

// sums[r][c] (+)= Σ_k rows[r][k] * panel[k][c]
template <int R, int C>
__attribute__((noinline)) void product(const float* const* rows, Index depth, const float* panel,
                                       const float* starts, float* sums) {
    Vec acc[R][C];
    const float* row[R];
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
        row[r] = rows[r];
#pragma GCC unroll 16
        for (int c = 0; c < C; ++c)
            acc[r][c] = starts ? load(starts + c * lanes) : load(sums + (r * C + c) * lanes);
    }
    add_terms(acc, depth, OfPanel<C>{panel}, [&](int r, Index k) { return row[r][k]; });
    put(acc, false, lanes, [&](int r) { return sums + r * C * lanes; });
}

// One row against two panels at once, the second perhaps the narrower last one: a chain of sums
// waits 4 cycles for each term, so a single row keeps the two multipliers busy only with 8 chains.
// Sums start from `starts`, the one panel's and the other's, or where those are null from `sums`.
template <int C, int D>
__attribute__((noinline)) void product_pair(const float* row, Index depth, const float* one,
                                            const float* other, const float* const* starts,
                                            float* sums) {
    Vec a[C], b[D];
    for (int c = 0; c < C; ++c) a[c] = load((starts ? starts[0] : sums) + c * lanes);
    for (int c = 0; c < D; ++c) b[c] = load((starts ? starts[1] : sums + C * lanes) + c * lanes);
    for (Index k = 0; k < depth; ++k, one += C * lanes, other += D * lanes) {
        const Vec h = splat(row[k]);
        for (int c = 0; c < C; ++c) a[c] += h * load(one + c * lanes);
        for (int c = 0; c < D; ++c) b[c] += h * load(other + c * lanes);
    }
    for (int c = 0; c < C; ++c) store(sums + c * lanes, a[c]);
    for (int c = 0; c < D; ++c) store(sums + (C + c) * lanes, b[c]);
}

// What the weights are multiplied with: for each row the address of `depth` values, and of
// `depth2` more that continue them elsewhere. They meet the panel's k from `first` on; where that
// is not 0 the sums start from zero.
struct Operand {
    const float* const* rows;
    Index depth;
    const float* const* rows2 = nullptr;
    Index depth2 = 0;
    Index first = 0;
};

alignas(64) inline constexpr float no_starts[4 * lanes] = {};

// finish(first row, count, panel, sums) for every block of rows and every panel in [first, last);
// row r's sums are at sums + r * w.width_of(panel) * lanes. Before the sums are made,
// ahead(first row, count, panel) fetches what finish will want: it comes from the third cache while
// the multipliers are busy.
template <int C, class Ahead, class Finish>
inline void sweep(const Panels& w, Index first, Index last, Index rows, const Operand& a,
                  Ahead&& ahead, Finish&& finish) {
    constexpr int most = most_rows<C>;
    alignas(64) float sums[(most < 2 ? 2 : most) * C * lanes];
    const Index blocks = (rows + most - 1) / most;
    for (Index j = first; j < last; ++j) {
        const float* panel = w.panel(j);
        // vectors of a gate before those for rows, and for rows2
        const Index skipped = a.first + 1, second = skipped + a.depth;
        if (rows == 1 && j + 1 < last) {
            const float* both[] = {panel, w.panel(j + 1)};
            const float* starts[] = {a.first ? no_starts : both[0], a.first ? no_starts : both[1]};
            as_constant<C>(w.width_of(j + 1), [&](auto next) {
                constexpr Index mine = C * lanes, other = next * lanes;
                product_pair<C, next>(a.rows[0], a.depth, both[0] + skipped * mine,
                                      both[1] + skipped * other, starts, sums);
                if (a.depth2)
                    product_pair<C, next>(a.rows2[0], a.depth2, both[0] + second * mine,
                                          both[1] + second * other, nullptr, sums);
            });
            finish(0, 1, j, sums);
            finish(0, 1, ++j, sums + C * lanes);
            continue;
        }
        const int width = w.width_of(j);
        const Index size = width * lanes;
        // Blocks of equal size: 25 rows are 5 times 5, not 4 times 6 and a slow single one.
        for (Index block = 0; block < blocks; ++block) {
            const Index from = rows * block / blocks, to = rows * (block + 1) / blocks;
            const int count = (int)(to - from);
            ahead(from, count, j);
            as_constant<C>(width, [&](auto wide) {
                as_constant<most>(count, [&](auto high) {
                    product<high, wide>(a.rows + from, a.depth, panel + skipped * size,
                                        a.first ? no_starts : panel, sums);
                    if (a.depth2)
                        product<high, wide>(a.rows2 + from, a.depth2, panel + second * size,
                                            nullptr, sums);
                });
            });
            finish(from, count, j, sums);
        }
    }
}

}  // namespace recurra::RECURRA_SET
