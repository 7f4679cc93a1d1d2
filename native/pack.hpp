// Weights in the order in which the tile reads them. Nothing is multiplied here.
#pragma once

#include <utility>

#include "tile.hpp"

namespace recurra::RECURRA_SET {

// Panels over H units of `depth` values each; `gates` > 1 interleaves a vector of each gate.
inline Panels panels(Index hidden, Index depth, int width, int gates) {
    const Index units = (Index)lanes * width / gates;
    const Index count = (hidden + units - 1) / units, left = hidden - (count - 1) * units;
    const int last = gates > 1 ? width : (int)((left + lanes - 1) / lanes);
    return {nullptr, depth, count, units, width, last};
}

// Panels over the columns of a product, all but the last equally wide. With 16 lanes 65 columns are
// three vectors and two, not four and one: a lone vector has too few sums at a time, and each waits
// for its own last addition. From 13 vectors on the last may still be a lone one.
inline Panels even_panels(Index columns, Index depth) {
    const Index vectors = (columns + lanes - 1) / lanes, count = (vectors + 3) / 4;
    return panels(columns, depth, (int)((vectors + count - 1) / count), 1);
}

inline Index floats(const Panels& p) { return p.count * p.stride(); }

// The first unit of vector c of panel j, and the gate it belongs to.
inline Index unit_of(const Panels& p, Index j, int c, int gates) {
    return j * p.units + (gates > 1 ? 0 : c * lanes);
}

// Two rows that lie s apart, s a power of two, exchange: a's lanes that have the bit s for b's that
// have not. `upper` is what a becomes, `lower` what b becomes.
template <int s, std::size_t... lane>
Vec upper(Vec a, Vec b, std::index_sequence<lane...>) {
    return __builtin_shufflevector(a, b, (int)(lane & s ? lanes + (lane ^ s) : lane)...);
}
template <int s, std::size_t... lane>
Vec lower(Vec a, Vec b, std::index_sequence<lane...>) {
    return __builtin_shufflevector(a, b, (int)(lane & s ? lanes + lane : lane ^ s)...);
}

// Rows become columns: row and lane exchange their bits, one after another.
template <int s = 1>
__attribute__((always_inline)) inline void transpose(Vec (&v)[lanes]) {
    if constexpr (s < lanes) {
        constexpr std::make_index_sequence<lanes> each;
#pragma GCC unroll 16
        for (int i = 0; i < lanes; ++i) {
            if (i & s) continue;
            const Vec a = v[i], b = v[i + s];
            v[i] = upper<s>(a, b, each);
            v[i + s] = lower<s>(a, b, each);
        }
        transpose<2 * s>(v);
    }
}

// to[k * stride + row] = from[row * depth + k] for the first vector of rows, or as many as there
// are. `wide` numbers of each k are written, at most a vector; where there is no row, zero. In
// blocks of whole vectors: number by number it would be half of a small layer's time.
inline void transpose_rows(const float* from, Index rows, Index depth, float* to, Index stride,
                           Index wide) {
    for (Index k = 0; k < depth; k += lanes) {
        const Index left = depth - k;
        Vec v[lanes];
#pragma GCC unroll 16
        for (int row = 0; row < lanes; ++row)
            v[row] = row < rows ? load(from + row * depth + k, left) : Vec{};
        transpose(v);
#pragma GCC unroll 16
        for (int i = 0; i < lanes; ++i)
            if (i < left) store(to + (k + i) * stride, v[i], wide);
    }
}

// to (depth, rows), `stride` numbers a row, from `from` (rows, depth)
inline void transpose(const float* from, Index rows, Index depth, float* to, Index stride) {
    for (Index row = 0; row < rows; row += lanes)
        transpose_rows(from + row * depth, rows - row, depth, to + row, stride, rows - row);
}

// Panels [first, last) for h' = weight h: unit u of gate g is row g·H + u of `weight` (G·H, H).
// `starts` (G·H,) is what the sums start from; null is zero.
inline void pack_rows(const Panels& p, float* data, Index first, Index last, const float* weight,
                      Index hidden, int gates, const float* const* starts) {
    for (Index j = first; j < last; ++j) {
        float* panel = data + j * p.stride();
        const int width = p.width_of(j);
        for (int c = 0; c < width; ++c) {
            const Index unit = unit_of(p, j, c, gates), units = hidden - unit;
            const int gate = gates > 1 ? c : 0;
            const float* from = weight + (gate * hidden + unit) * p.depth;
            float* to = panel + c * lanes;
            store(to, starts[gate] ? load(starts[gate] + unit, units) : Vec{});
            transpose_rows(from, units, p.depth, to + width * lanes, width * lanes, lanes);
        }
    }
}

// Panels [first, last) for d_h = weightᵀ d: unit u is column u of `weight` (depth, H).
inline void pack_columns(const Panels& p, float* data, Index first, Index last,
                         const float* weight, Index hidden) {
    for (Index j = first; j < last; ++j) {
        float* to = data + j * p.stride();
        const int width = p.width_of(j);
        for (int c = 0; c < width; ++c, to += lanes) store(to, Vec{});
        for (Index k = 0; k < p.depth; ++k)
            for (int c = 0; c < width; ++c, to += lanes) {
                const Index unit = unit_of(p, j, c, 1);
                store(to, load(weight + k * hidden + unit, hidden - unit));
            }
    }
}

}  // namespace recurra::RECURRA_SET
