// Weights in the order in which the tile reads them. Nothing is multiplied here.
#pragma once

#include "tile.hpp"

namespace recurra::RECURRA_SET {

// Panels over H units of `depth` values each; `gates` > 1 interleaves a vector of each gate.
inline Panels panels(Index hidden, Index depth, int width, int gates) {
    const Index units = (Index)lanes * width / gates;
    return {nullptr, depth, (hidden + units - 1) / units, units, width};
}

inline Index floats(const Panels& p) { return p.count * p.stride(); }

// The first unit of vector c of panel j, and the gate it belongs to.
inline Index unit_of(const Panels& p, Index j, int c, int gates) {
    return j * p.units + (gates > 1 ? 0 : c * lanes);
}

// Panels [first, last) for h' = weight h: unit u of gate g is row g·H + u of `weight` (G·H, H).
// `starts` (G·H,) is what the sums start from; null is zero.
inline void pack_rows(const Panels& p, float* data, Index first, Index last, const float* weight,
                      Index hidden, int gates, const float* const* starts) {
    for (Index j = first; j < last; ++j) {
        float* panel = data + j * p.stride();
        std::memset(panel, 0, sizeof(float) * p.stride());
        for (int c = 0; c < p.width; ++c) {
            const Index unit = unit_of(p, j, c, gates);
            const int gate = gates > 1 ? c : 0;
            for (Index lane = 0; lane < lanes && unit + lane < hidden; ++lane) {
                float* to = panel + c * lanes + lane;
                if (starts[gate]) *to = starts[gate][unit + lane];
                const float* from = weight + (gate * hidden + unit + lane) * p.depth;
                for (Index k = 0; k < p.depth; ++k) to[(k + 1) * p.width * lanes] = from[k];
            }
        }
    }
}

// Panels [first, last) for d_h = weightᵀ d: unit u is column u of `weight` (depth, H).
inline void pack_columns(const Panels& p, float* data, Index first, Index last,
                         const float* weight, Index hidden) {
    for (Index j = first; j < last; ++j) {
        float* to = data + j * p.stride();
        for (int c = 0; c < p.width; ++c, to += lanes) store(to, Vec{});
        for (Index k = 0; k < p.depth; ++k)
            for (int c = 0; c < p.width; ++c, to += lanes) {
                const Index unit = unit_of(p, j, c, 1);
                const bool any = unit < hidden;
                store(to, any ? load(weight + k * hidden + unit, hidden - unit) : Vec{});
            }
    }
}

}  // namespace recurra::RECURRA_SET
