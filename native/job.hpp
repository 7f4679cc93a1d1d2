// What a caller asks for: one layer in one direction over a whole sequence, forward or backward.
// Plain pointers and sizes, no vectors, so that it means the same to every instruction set.
#pragma once

#include <cstdint>

namespace recurra {

using Index = std::int64_t;

enum class Cell : int { rnn, relu_rnn, lstm, gru, gru_reset_before };

// Arrays are float32, C-contiguous, time-major. G is the cell's number of gates.
struct Shape {
    Cell cell;
    Index T, B, H;
    const Index* lengths;  // (B,), or null: every sequence has T steps
    bool reverse;
    int threads;
    const float* weight_hh;  // (G·H, H); gru_reset_before: (2H, H)
    const float* weight_hn;  // (H, H), gru_reset_before only
};

// What a step leaves for the backward pass beside the gates, (T, B, H):
// lstm: the cell state c; gru: W_hn h + b_hn; gru_reset_before: r * h; others: nothing.
struct Forward : Shape {
    const float* x;        // x_gates (T, B, G·H), or with ids a table of them (V, G·H)
    const Index* ids;      // (T, B), or null
    const float* bias;     // (G·H,) that x does not hold yet, or null
    const float* bias_hn;  // (H,), gru only
    const float* h0;       // (B, H)
    const float* c0;       // (B, H), lstm only
    float* outputs;        // (T, B, H)
    float* hN;             // (B, H)
    float* cN;             // (B, H), lstm only
    float* gates;          // (T, B, G·H) after their activations (may be x itself), or null: not kept
    float* extra;          // (T, B, H), or null exactly where gates is
};

struct Backward : Shape {
    float* gates;           // in: as forward left them (rnn: anything); out: gradient of x_gates
    float* extra;           // in: as forward left it; out, gru: gradient of W_hn h + b_hn
    const float* outputs;   // (T, B, H)
    const float* h0;        // (B, H)
    const float* c0;        // (B, H), lstm only
    const float* d_outputs; // (T, B, H), or null: zero
    const float* d_hN;      // (B, H), or null: zero
    const float* d_cN;      // (B, H), or null: zero
    float* d_h0;            // (B, H)
    float* d_c0;            // (B, H), lstm only
};

struct Nats;     // step.hpp
struct RowSums;  // step.hpp

// One instruction set's code.
struct Set {
    const char* name;
    void (*forward)(const Forward&);
    void (*backward)(const Backward&);
    // name is exp, tanh or sigmoid; out may be x
    void (*apply)(int function, const float* x, float* out, Index n);
    void (*nats)(const Nats&);
    void (*sum_rows)(const RowSums&);
};

}  // namespace recurra
