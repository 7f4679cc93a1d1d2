// A trained stack that draws: its weights packed once, then a chunk of symbols a call. Plain
// pointers and sizes, so that it means the same to every instruction set; the work is sampler.cpp's.
#pragma once

#include <memory>
#include <vector>

#include "job.hpp"

namespace recurra {

// One layer's weights as cells/ names them; null where the cell has none.
struct LayerWeights {
    const float* weight_ih;  // (G·H, I), null in a first layer that has a table
    const float* bias;       // (G·H,), the same
    const float* weight_hh;  // (G·H, H); gru_reset_before: (2H, H)
    const float* weight_hn;  // (H, H), gru_reset_before only
    const float* bias_hn;    // (H,), gru only
};

// Packed when a Sampler is made, except table and embedding, which must outlive it.
struct Network {
    Cell cell;
    Index V, E, H;
    const float* table;      // x_gates of every symbol (V, G·H), or null
    const float* embedding;  // (V, E), read where there is no table
    std::vector<LayerWeights> layers;
    const float* projection;       // (V, H)
    const float* projection_bias;  // (V,)
    bool int8;                     // matrices kept as int8, a scale each row
};

// `never` goes first, then temperature, then top_k, then top_p.
struct Filters {
    const Index* never;  // ids that are not drawn
    Index never_count;
    double temperature;  // 0: the likeliest
    Index top_k;         // 0: all
    double top_p;        // 0: all
};

// T symbols in each of B sequences. A step feeds ids[t], and ids[t + 1] is drawn into; or read,
// where there are no uniforms.
struct Chunk {
    Index T, B;
    Index* ids;              // (T + 1, B)
    float* state;            // (layers, 1, B, H), lstm: (layers, 2, B, H), h then c; updated
    const double* uniforms;  // (T, B) in [0, 1), or null
    const Filters* filters;  // of the draws
    double* nats;            // (T, B), −ln p(ids[t + 1]) before any filter; null: not wanted
};

class Sampler {
public:
    virtual ~Sampler() = default;
    // Any number of threads may do this at once. Throws std::out_of_range for an id outside V.
    virtual void run(const Chunk& chunk) const = 0;
};

}  // namespace recurra
