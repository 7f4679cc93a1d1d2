// The cells' equations in float64, one sequence at a time, as plainly as they can be written: what
// the kernels are checked against where there is no Python. No gradients: those are differences.
#pragma once

#include <cmath>
#include <random>
#include <vector>

#include "job.hpp"

namespace reference {

using recurra::Cell;
using recurra::Index;
using Numbers = std::vector<double>;
using Floats = std::vector<float>;

inline Index gates_of(Cell cell) {
    const bool gru = cell == Cell::gru || cell == Cell::gru_reset_before;
    return cell == Cell::lstm ? 4 : gru ? 3 : 1;
}

// Rows of weight_hh, in units of H.
inline Index recurrent_gates_of(Cell cell) {
    return cell == Cell::gru_reset_before ? 2 : gates_of(cell);
}

inline constexpr Cell cells[] = {Cell::rnn, Cell::relu_rnn, Cell::lstm, Cell::gru,
                                 Cell::gru_reset_before};

inline const char* name_of(Cell cell) {
    const char* names[] = {"rnn", "relu_rnn", "lstm", "gru", "gru_reset_before"};
    return names[(int)cell];
}

struct Random {
    std::mt19937_64 engine;
    Floats uniform(Index count, double limit) {
        std::uniform_real_distribution<double> draw(-limit, limit);
        Floats values((std::size_t)count);
        for (float& value : values) value = (float)draw(engine);
        return values;
    }
};

inline Numbers wide(const Floats& values) { return {values.begin(), values.end()}; }

struct Weights {
    Numbers hh, hn, bias_hn;
};

struct State {
    Numbers h, c;
};

inline double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// (rows, depth) times a vector
inline Numbers product(const Numbers& matrix, Index rows, const Numbers& vector) {
    Numbers result((std::size_t)rows);
    for (Index row = 0; row < rows; ++row)
        for (std::size_t k = 0; k < vector.size(); ++k)
            result[row] += matrix[row * vector.size() + k] * vector[k];
    return result;
}

// One step from x_gates (G·H,), biases included: cells/ has the sources of the equations.
inline void step(Cell cell, const Weights& weights, const double* x, State& state) {
    const Index H = (Index)state.h.size();
    const Numbers sums = product(weights.hh, recurrent_gates_of(cell) * H, state.h);
    Numbers h = state.h, reset_h = state.h;
    if (cell == Cell::gru_reset_before)
        for (Index u = 0; u < H; ++u) reset_h[u] *= sigmoid(x[u] + sums[u]);
    const Numbers candidate =
        cell == Cell::gru_reset_before ? product(weights.hn, H, reset_h) : Numbers();
    for (Index u = 0; u < H; ++u) {
        const auto gate = [&](Index g) { return x[g * H + u] + sums[g * H + u]; };
        if (cell == Cell::rnn) h[u] = std::tanh(gate(0));
        if (cell == Cell::relu_rnn) h[u] = std::fmax(gate(0), 0);
        if (cell == Cell::lstm) {
            state.c[u] = sigmoid(gate(1)) * state.c[u] + sigmoid(gate(0)) * std::tanh(gate(2));
            h[u] = sigmoid(gate(3)) * std::tanh(state.c[u]);
        }
        if (cell == Cell::gru || cell == Cell::gru_reset_before) {
            const double inner = cell == Cell::gru
                                     ? sigmoid(gate(0)) * (sums[2 * H + u] + weights.bias_hn[u])
                                     : candidate[u];
            const double n = std::tanh(x[2 * H + u] + inner), z = sigmoid(gate(1));
            h[u] = (1 - z) * n + z * state.h[u];
        }
    }
    state.h = h;
}

// |a - b| / |b|, both as one long vector; absolute where b is shorter than 1, since a lone
// number may be what is left of a sum that cancels.
struct Error {
    double difference = 0, length = 0;
    void add(double found, double expected) {
        difference += (found - expected) * (found - expected);
        length += expected * expected;
        if (found != found) difference = HUGE_VAL;
    }
    double relative() const { return std::sqrt(difference) / std::fmax(std::sqrt(length), 1.0); }
};

}  // namespace reference
