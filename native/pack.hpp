// Weights in the order in which the tile reads them. Nothing is multiplied here.
#pragma once

#include "tile.hpp"

namespace recurra::RECURRA_SET {

// Panels over H units of `depth` values each; `gates` > 1 interleaves a vector of each gate.
inline Panels panels(Index hidden, Index depth, int width, int gates) {
    const Index units = (Index)lanes * width / gates;
    const Index count = (hidden + units - 1) / units, left = hidden - (count - 1) * units;
    const int last = gates > 1 ? width : (int)((left + lanes - 1) / lanes);
    return {nullptr, depth, count, units, width, last};
}

inline Index floats(const Panels& p) { return p.count * p.stride(); }

// The first unit of vector c of panel j, and the gate it belongs to.
inline Index unit_of(const Panels& p, Index j, int c, int gates) {
    return j * p.units + (gates > 1 ? 0 : c * lanes);
}

// to[k * stride + row] = from[row * depth + k], four by four: one at a time is half a small layer.
inline void transpose(const float* from, Index rows, Index depth, float* to, Index stride) {
    typedef float Four __attribute__((vector_size(16)));
    const Index rows4 = rows > 0 ? rows / 4 * 4 : 0, depth4 = depth / 4 * 4;
    for (Index k = 0; k < depth4; k += 4)
        for (Index row = 0; row < rows4; row += 4) {
            Four a, b, c, d;
            const float* at = from + row * depth + k;
            std::memcpy(&a, at, 16);
            std::memcpy(&b, at + depth, 16);
            std::memcpy(&c, at + 2 * depth, 16);
            std::memcpy(&d, at + 3 * depth, 16);
            const Four ab_low = __builtin_shufflevector(a, b, 0, 4, 1, 5);
            const Four ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
            const Four cd_low = __builtin_shufflevector(c, d, 0, 4, 1, 5);
            const Four cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);
            const Four columns[4] = {__builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5),
                                     __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7),
                                     __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5),
                                     __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7)};
            for (int i = 0; i < 4; ++i) std::memcpy(to + (k + i) * stride + row, &columns[i], 16);
        }
    for (Index row = 0; row < rows; ++row)
        for (Index k = row < rows4 ? depth4 : 0; k < depth; ++k)
            to[k * stride + row] = from[row * depth + k];
}

// Panels [first, last) for h' = weight h: unit u of gate g is row g·H + u of `weight` (G·H, H).
// `starts` (G·H,) is what the sums start from; null is zero.
inline void pack_rows(const Panels& p, float* data, Index first, Index last, const float* weight,
                      Index hidden, int gates, const float* const* starts) {
    for (Index j = first; j < last; ++j) {
        float* panel = data + j * p.stride();
        std::memset(panel, 0, sizeof(float) * p.stride());
        const int width = p.width_of(j);
        for (int c = 0; c < width; ++c) {
            const Index unit = unit_of(p, j, c, gates);
            const int gate = gates > 1 ? c : 0;
            const Index units = hidden - unit < lanes ? hidden - unit : lanes;
            const float* from = weight + (gate * hidden + unit) * p.depth;
            for (Index lane = 0; lane < units && starts[gate]; ++lane)
                panel[c * lanes + lane] = starts[gate][unit + lane];
            transpose(from, units, p.depth, panel + (width + c) * lanes, width * lanes);
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
