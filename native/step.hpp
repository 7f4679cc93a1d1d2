// What a training step asks for beside the layers: the loss over the symbols with its gradient, and
// sums of rows by id (the gradient of a table). Plain pointers and sizes.
#pragma once

#include "job.hpp"

namespace recurra {

// −ln softmax(logits)[target] of N tokens. With `gradient` also its derivative by the logits.
struct Nats {
    Index tokens, symbols;
    const float* logits;   // (N, V)
    const Index* targets;  // (N,), −1: a token that does not count
    double* nats;          // (N,), out: 0 where it does not count
    float* gradient;       // (N, V), out: of scale · Σ nats; or null
    float scale;
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
