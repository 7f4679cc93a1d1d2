// What a training step asks for beside the layers: the loss of a projection onto the symbols with
// its gradients, and sums of rows by id (the gradient of a table). Plain pointers and sizes.
#pragma once

#include "job.hpp"

namespace recurra {

// −ln softmax(weight · row + bias)[target] of N tokens, and the gradients of scale · their sum. The
// logits are never all there: a chunk of tokens at a time.
struct Nats {
    Index tokens, hidden, symbols;
    const float* rows;     // (N, H)
    const float* weight;   // (V, H)
    const float* bias;     // (V,), or null
    const Index* targets;  // (N,), −1: a token that does not count
    double* nats;          // (N,), out: 0 where it does not count
    float scale;
    float* d_rows;         // (N, H), out; or null, as those below
    float* d_weight;       // (V, H)
    float* d_bias;         // (V,)
    int threads;
};

// sums[ids[n]] = Σ rows[n]: each sum in the order of n.
struct RowSums {
    Index count, width;
    const float* rows;  // (N, W)
    const Index* ids;   // (N,)
    Index symbols;
    float* sums;        // (V, W), out
    int threads;
};

}  // namespace recurra
