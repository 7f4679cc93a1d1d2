// Everything of one instruction set: compiled once for each, with RECURRA_SET naming it.
#include "gru.hpp"
#include "gru_reset_before.hpp"
#include "lstm.hpp"
#include "rnn.hpp"
#include "sequence.hpp"

#define RECURRA_TEXT_OF(name) #name
#define RECURRA_TEXT(name) RECURRA_TEXT_OF(name)

namespace recurra::RECURRA_SET {

void nats(const Nats&);         // step.cpp
void sum_rows(const RowSums&);  // step.cpp
void update(Update&);           // update.cpp
void network_loss(NetworkLoss&);         // network.cpp
Index network_room(const NetworkLoss&);  // network.cpp

namespace {

template <class Do>
void of_cell(Cell cell, Do&& with) {
    switch (cell) {
        case Cell::rnn: return with(Rnn<Tanh>{});
        case Cell::relu_rnn: return with(Rnn<Relu>{});
        case Cell::lstm: return with(Lstm{});
        case Cell::gru: return with(Gru{});
        case Cell::gru_reset_before: return with(GruResetBefore{});
    }
}

void forward_of(const Forward& job) {
    of_cell(job.cell, [&](auto kind) { forward<decltype(kind)>(job); });
}

void backward_of(const Backward& job) {
    of_cell(job.cell, [&](auto kind) { backward<decltype(kind)>(job); });
}

void apply(int function, const float* x, float* out, Index n) {
    const FlushToZero flush;
    for (Index at = 0; at < n; at += lanes) {
        const Vec value = load(x + at, n - at);
        store(out + at, function == 0 ? exp(value) : function == 1 ? tanh(value) : sigmoid(value),
              n - at);
    }
}

}  // namespace

extern const Set set;
const Set set{RECURRA_TEXT(RECURRA_SET), forward_of, backward_of, apply, nats, sum_rows,
              update, network_loss, network_room};

}  // namespace recurra::RECURRA_SET
