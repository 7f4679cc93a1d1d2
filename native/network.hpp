// A whole language model over a window of text: the loss and every gradient of it in one call, for
// networks so small that what stands between calls takes longer than they do. Plain pointers and
// sizes.
#pragma once

#include "job.hpp"

namespace recurra {

// Arrays are float32 and C-contiguous; G is the cell's number of gates, N = T·B. All gradients are
// wanted.
struct LayerLoss {
    const float* weight_ih;  // (G·H, I): I is E, or without an embedding V; above the first layer H
    const float* weight_hh;  // (G·H, H); gru_reset_before: (2H, H)
    const float* bias;       // (G·H,)
    const float* other;      // gru: b_hn (H,); gru_reset_before: W_hn (H, H); else null
    float *d_weight_ih, *d_weight_hh, *d_bias, *d_other;
    const float *h0, *c0;    // (B, H), or null: zero; c of the lstm alone
    float *hN, *cN;          // (B, H)
};

struct NetworkLoss {
    Cell cell;
    Index T, B, V, E, H;       // E = 0: one-hot input
    const Index* ids;          // (T, B)
    const Index* targets;      // (T, B), −1: does not count
    const float* embedding;    // (V, E)
    float* d_embedding;        // may be d_projection: then it is the sum of both
    const LayerLoss* layers;
    Index layer_count;
    const float *projection, *bias;      // (V, H), (V,)
    float *d_projection, *d_bias;
    float* room;               // as many floats as the set's network_room says, aligned to 64 bytes
    int threads;
    double nats;               // out: the mean of −ln p(target) over those that count; NaN for none
};

}  // namespace recurra
