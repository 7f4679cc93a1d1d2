// One call: its memory, its weights packed, and its work shared out among the participants. What
// the caller left out (a zero state, a gradient that is not wanted) has a place here, so that the
// loops need not ask.
#pragma once

#include "plan.hpp"
#include "sums.hpp"

namespace recurra::RECURRA_SET {

template <class Job, class Row>
struct Call {
    Job job;
    Plan plan;
    Panels weights[2], input;  // input: for x_gates, and going back for the input's gradient
    float *packed[2], *packed_input;
    const float* zeros;  // (4H,)
    const float* input_starts;  // (G·H,) what the input's products start from, or null
    Index chunk;         // steps whose x_gates are made at a time
    bool input_first;    // all of them before the first step, by all participants
    float* x_gates;      // (chunk, B, G·H) where gates are not kept; null: they go to the outputs
    float* scratch;      // gru_reset_before where nothing is kept: gates (B, 3H), then r * h (B, H)
    bool wants_h0;       // whether the initial state's gradient is wanted
    float* room;         // (participants, Room::size)
    Row* rows;           // (participants * B,)
    const float** operands;
    Barrier barrier;
};

inline void copy(float* to, const float* from, Index n) {
    if (to != from) std::memcpy(to, from, sizeof(float) * (std::size_t)n);
}
inline void clear(float* to, Index n) { std::memset(to, 0, sizeof(float) * (std::size_t)n); }

inline float* cleared(Workspace& memory, Index n) {
    float* made = memory.array<float>(n);
    clear(made, n);
    return made;
}

// A sequence's row in states and their gradients.
inline Index state_row(const Shape& job, Index b) { return job.order ? job.order[b] : b; }

// Lengths and starts of packed input, and a zero state where there is none. Returns N.
inline Index complete(Shape& job, Workspace& memory) {
    Index tokens = job.T * job.B;
    if (job.batch_sizes) {
        auto* lengths = memory.array<Index>(job.B);
        auto* starts = memory.array<Index>(job.T);
        tokens = 0;
        for (Index t = 0; t < job.T; ++t) {
            const Index after = t + 1 < job.T ? job.batch_sizes[t + 1] : 0;
            for (Index b = after; b < job.batch_sizes[t]; ++b) lengths[b] = t + 1;
            starts[t] = tokens;
            tokens += job.batch_sizes[t];
        }
        job.lengths = lengths;
        job.starts = starts;
    }
    const bool has_cell = job.cell == Cell::lstm;
    const float* none = job.h0 && (job.c0 || !has_cell) ? nullptr
                                                        : cleared(memory, job.B * job.H);
    if (!job.h0) job.h0 = none;
    if (has_cell && !job.c0) job.c0 = none;
    return tokens;
}

inline constexpr Index most_at_once = Index{1} << 24;  // of x_gates that are not kept: 64 MB

inline bool goes_forward(const Forward&) { return true; }
inline bool goes_forward(const Backward&) { return false; }

// Multiplications a token in products over all steps.
inline Index products_of(const Forward& job) { return job.input ? job.I : 0; }
inline Index products_of(const Backward& job) {
    return (job.d_input ? job.I : 0) + (job.d_weight_ih ? job.I : 0) + (job.d_weight_hh ? job.H : 0);
}

template <class Kind, class Row>
void prepare(Call<Forward, Row>& call, Index tokens, Workspace& memory) {
    Forward& job = call.job;
    const Index H = job.H, GH = Kind::gates * H;
    if (job.bias && job.bias_hh) {
        auto* sum = memory.array<float>(GH);
        const Index both = job.cell == Cell::gru ? 2 * H : GH;
        for (Index i = 0; i < GH; ++i) sum[i] = job.bias[i] + (i < both ? job.bias_hh[i] : 0.0f);
        job.bias = sum;
    }
    expect_writes(job.gates, tokens * GH);
    if (job.extra) expect_writes(job.extra, tokens * H);
    if (!job.input) return;
    call.input = even_panels(GH, job.I);
    call.input_starts = job.bias;
    job.bias = nullptr;
    // As many steps as fill a block for each participant: their x_gates are used while they are
    // in its cache.
    const Plan& plan = call.plan;
    const Index rows = job.B / plan.shares, blocks = plan.by_units ? plan.threads : 1;
    const Index steps = blocks * Block::most / (rows > 0 ? rows : 1);
    const bool kept = job.gates || Kind::gates == 1;
    call.input_first = !plan.by_units && plan.shares < plan.threads &&
                       (kept || tokens * GH <= most_at_once);
    call.chunk = call.input_first ? job.T : steps < 1 ? 1 : steps < job.T ? steps : job.T;
    if (!kept) call.x_gates = memory.array<float>(call.chunk * job.B * GH);
}

template <class Kind, class Row>
void prepare(Call<Backward, Row>& call, Index tokens, Workspace& memory) {
    Backward& job = call.job;
    const Index H = job.H, GH = Kind::gates * H;
    if (job.d_outputs && job.d_outputs_same) {
        auto* row = memory.array<float>(H);
        for (Index i = 0; i < H; ++i) row[i] = *job.d_outputs;
        job.d_outputs = row;
        job.d_outputs_at = {0, 0};
    }
    if (!job.gates) job.gates = memory.array<float>(tokens * GH);
    call.wants_h0 = job.d_h0 != nullptr;
    if (!job.d_h0) job.d_h0 = memory.array<float>(job.B * H);
    if (job.cell == Cell::lstm && !job.d_c0) job.d_c0 = memory.array<float>(job.B * H);
    call.room = memory.array<float>(job.threads * Room::size);
    if (job.d_input) call.input = even_panels(job.I, GH);
}

template <class Kind>
void pack_input(const Forward& job, const Panels& p, float* data, const float* starts,
                const Part& part) {
    pack_rows(p, data, part.first(p.count), part.last(p.count), job.weight_ih,
              Kind::gates * job.H, 1, &starts);
}
template <class Kind>
void pack_input(const Backward& job, const Panels& p, float* data, const float*,
                const Part& part) {
    pack_columns(p, data, part.first(p.count), part.last(p.count), job.weight_ih, job.I);
}

// Runs a call: all pack the weights together and do what comes before the first step, then each
// share goes through time, then all do together what follows the last step.
template <class Kind, class Row, class Job, class Pack, class Before, class Share, class After>
void run(const Job& given, Panels (*panels_of)(int, Index), Pack&& pack, Before&& before,
         Share&& share, After&& after) {
    Workspace memory;
    Call<Job, Row> call{};
    call.job = given;
    Job& job = call.job;
    const Index tokens = complete(job, memory);
    const auto GH = (double)(Kind::gates * job.H);
    const Work work{GH * (double)job.H, GH * (double)(tokens * products_of(job))};
    call.plan = make_plan(job, work, goes_forward(job), memory);
    prepare<Kind>(call, tokens, memory);
    call.zeros = cleared(memory, 4 * job.H + lanes);
    call.scratch = memory.array<float>(Kind::phases > 1 ? 4 * job.H * job.B : 0);
    for (int phase = 0; phase < Kind::phases; ++phase) {
        call.weights[phase] = panels_of(phase, job.H);
        call.packed[phase] = memory.array<float>(floats(call.weights[phase]));
        call.weights[phase].data = call.packed[phase];
    }
    call.packed_input = memory.array<float>(floats(call.input));
    call.input.data = call.packed_input;
    call.rows = memory.array<Row>(job.B * job.threads);
    call.operands = memory.array<const float*>(2 * job.B * job.threads);
    struct All {
        Call<Job, Row>& call;
        Pack& pack;
        Before& before;
        Share& share;
        After& after;
    } all{call, pack, before, share, after};
    const auto task = [](void* data, int index, int count) {
        auto& [call, pack, before, share, after] = *static_cast<All*>(data);
        const FlushToZero flush;
        const Part part{index, count};
        for (int phase = 0; phase < Kind::phases; ++phase) {
            const Panels& w = call.weights[phase];
            pack(call.job, phase, w, call.packed[phase], part.first(w.count), part.last(w.count));
        }
        if (call.input.count)
            pack_input<Kind>(call.job, call.input, call.packed_input, call.input_starts, part);
        const Plan& plan = call.plan;
        // by units each has packed just what it multiplies, but for the input's products
        if (!plan.by_units || call.input.count) call.barrier.wait(count);
        before(call, part);
        for (int one = plan.by_units ? 0 : index; one < plan.shares; one += count) {
            const Index from = plan.begin[one], rows = plan.begin[one + 1] - from;
            const Index room = call.job.B * index;
            Rows<Row> mine{call.rows + room, rows, call.operands + 2 * room,
                           call.operands + 2 * room + call.job.B, call.job.H,
                           plan.by_units ? part : Part{0, 1}};
            share(call, plan.order + from, mine);
        }
        after(call, part);
    };
    run_together(call.plan.threads, task, &all);
}

}  // namespace recurra::RECURRA_SET
