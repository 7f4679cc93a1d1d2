// What a caller asks for: one layer in one direction over a whole sequence, forward or backward.
// Plain pointers and sizes, no vectors, so that it means the same to every instruction set.
#pragma once

#include <cstdint>

namespace recurra {

using Index = std::int64_t;

enum class Cell : int { rnn, relu_rnn, lstm, gru, gru_reset_before };

// Floats from a step's row to that of the next step, and from a sequence's to that of the next.
struct Layout {
    Index step, sequence;
};

// Arrays are float32. G is the cell's number of gates, N the number of tokens (step and sequence):
// T·B, or in packed input the sum of batch_sizes. Arrays (N, …) are C-contiguous.
struct Shape {
    Cell cell;
    Index T, B, H;
    const Index* lengths;      // (B,), or null: every sequence has T steps
    const Index* batch_sizes;  // (T,) sequences in each step, never more than before; or null
    const Index* order;        // (B,) sequence b's row in states and their gradients; or null: b
    bool reverse;
    int threads;
    const float* weight_hh;  // (G·H, H); gru_reset_before: (2H, H)
    const float* weight_hn;  // (H, H), gru_reset_before only
    Index I;
    const Index* ids;        // (N,) each token's row of a table, of `input` or of x; or null
    const float* input;      // rows (I,), with ids (V, I); or null: x_gates come ready made
    Layout input_at;         // without ids; and in both cases of the input's gradient
    const float* weight_ih;  // (G·H, I), null as input is
    const float* h0;         // (B, H), or null: zero
    const float* c0;         // (B, H), lstm only; or null: zero
    Layout outputs_at;
    const Index* starts;  // (T,) the first token of each step of packed input: not the caller's
};

// What a step leaves for the backward pass beside the gates, (N, H):
// lstm: the cell state c; gru: W_hn h + b_hn; gru_reset_before: r * h; others: nothing.
struct Forward : Shape {
    const float* x;        // x_gates (N, G·H), or with ids a table of them (V, G·H); null: of input
    const float* bias;     // (G·H,) that x does not hold yet, or null
    const float* bias_hh;  // torch's second bias, added to it; gru: (2H,) of it; or null
    const float* bias_hn;  // (H,), gru only
    float* outputs;        // rows (H,)
    float* hN;             // (B, H)
    float* cN;             // (B, H), lstm only
    float* gates;          // (N, G·H) after their activations (may be x itself), or null: not kept
    float* extra;          // (N, H), or null exactly where gates is
};

struct Backward : Shape {
    float* gates;           // in: as forward left them (rnn: anything); out: gradient of x_gates
    float* extra;           // in: as forward left it; out, gru: gradient of W_hn h + b_hn
    const float* outputs;   // rows (H,)
    const float* d_outputs; // rows (H,), or null: zero
    Layout d_outputs_at;
    bool d_outputs_same;    // every one of its elements is the one at d_outputs
    const float* d_hN;      // (B, H), or null: zero
    const float* d_cN;      // (B, H), or null: zero
    float* d_h0;            // (B, H), or null: not wanted
    float* d_c0;            // (B, H), lstm only; or null: not wanted
    // What sums over all tokens give, each null where it is not wanted:
    float* d_input;         // rows (I,), a token each at input_at
    float* d_weight_ih;     // (G·H, I)
    float* d_weight_hh;     // as weight_hh
    float* d_weight_hn;     // (H, H)
    float* d_bias;          // (G·H,)
    float* d_bias_hh;       // (G·H,), gru: (2H,); a copy of d_bias
    float* d_bias_hn;       // (H,)
};

struct Nats;     // step.hpp
struct RowSums;  // step.hpp
struct Update;   // update.hpp
struct NetworkLoss;  // network.hpp

// One instruction set's code.
struct Set {
    const char* name;
    void (*forward)(const Forward&);
    void (*backward)(const Backward&);
    // name is exp, tanh or sigmoid; out may be x
    void (*apply)(int function, const float* x, float* out, Index n);
    void (*nats)(const Nats&);
    void (*sum_rows)(const RowSums&);
    void (*update)(Update&);
    void (*network_loss)(NetworkLoss&);
    Index (*network_room)(const NetworkLoss&);  // floats that a call needs beside its arrays
};

}  // namespace recurra
