// What moves the weights: the gradients' norm, clipping, and an optimizer's step over all parameters
// of a model. Plain pointers and sizes.
#pragma once

#include "job.hpp"

namespace recurra {

// The formulas are torch.optim's; g is the gradient as clipped, a decay that is not decoupled added.
enum class Rule : int {
    sgd,      // m = β m + g                      w −= rate m
    adam,     // m += (1 − β)(g − m)   v = γ v + (1 − γ) g²   w −= rate m̂ / (√v̂ + ε)
    adamw,    // the same, and the decay is decoupled: first w −= rate decay w
    adagrad,  // v += g²                          w −= rate g / (√v + ε)
    rmsprop,  // v = γ v + (1 − γ) g²             w −= rate g / (√v + ε)
};

// float32 arrays of `count` numbers, each null where the rule has none.
struct Parameter {
    float* weight;
    const float* gradient;
    float* momentum;  // m
    float* squares;   // v
    float* steps;     // one number: updates so far
    Index count;
    double decay;
};

struct Update {
    Rule rule;
    const Parameter* parameters;
    Index count;
    double rate, momentum_decay, squares_decay, epsilon;  // rate, β, γ, ε
    double clip_value, clip_norm;  // first every element to ±value, then all to the norm; or infinity
    int threads;
    double norm;  // out: L2 of all gradients together, before anything was cut
    bool cut;     // out: whether anything was
};

}  // namespace recurra
