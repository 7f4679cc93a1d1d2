// The loop over time, the same for every cell: which sequences are running, where their rows lie,
// what stands before the first step and after the last. No arithmetic of a cell.
#pragma once

#include "plan.hpp"
#include "rows.hpp"

namespace recurra::RECURRA_SET {

template <class Kind, class Job, class Row>
struct Call {
    const Job& job;
    Plan plan;
    Panels weights[2];
    float* packed[2];
    const float* zeros;  // (4H,)
    float* scratch;      // gru_reset_before where nothing is kept: gates (B, 3H), then r * h (B, H)
    Row* rows;           // (participants * B,)
    const float** operands;
    Barrier barrier;
};

inline Index floats_of_zeros(Index H) { return 4 * H + lanes; }

// Steps of sequence b in the order of computation: `first` is where its state comes from outside.
struct Time {
    bool reverse;
    Index first(Index length) const { return reverse ? length - 1 : 0; }
    Index last(Index length) const { return reverse ? 0 : length - 1; }
    Index before(Index t) const { return reverse ? t + 1 : t - 1; }
    Index after(Index t) const { return reverse ? t - 1 : t + 1; }
};

inline void copy(float* to, const float* from, Index n) {
    if (to != from) std::memcpy(to, from, sizeof(float) * (std::size_t)n);
}
inline void clear(float* to, Index n) { std::memset(to, 0, sizeof(float) * (std::size_t)n); }

// Calls step(t, running) for each t in the order of time, `running` of the share's sequences.
template <class Step>
void over_time(const Shape& job, const Index* order, Index count, bool reverse, Step&& step) {
    Index running = reverse ? 0 : count;
    for (Index s = 0; s < job.T; ++s) {
        const Index t = reverse ? job.T - 1 - s : s;
        if (reverse)
            while (running < count && length_of(job, order[running]) > t) ++running;
        else
            while (running > 0 && length_of(job, order[running - 1]) <= t) --running;
        if (running) step(t, running);
    }
}

// Runs every share of a call: packs the weights together, then pack-free over time.
template <class Kind, class Job, class Row, class Pack, class Share>
void run(const Job& job, Panels (*panels_of)(int, Index), Index depth_sum, Pack&& pack,
         Share&& share) {
    Panels weights[2];
    std::size_t bytes = plan_size(job) + Workspace::size<float>(floats_of_zeros(job.H)) +
                        Workspace::size<float>(4 * job.H * job.B) +
                        (std::size_t)job.threads * (Workspace::size<Row>(job.B) +
                                                    2 * Workspace::size<const float*>(job.B));
    for (int phase = 0; phase < Kind::phases; ++phase) {
        weights[phase] = panels_of(phase, job.H);
        bytes += Workspace::size<float>(floats(weights[phase]));
    }
    Workspace memory(bytes);
    Call<Kind, Job, Row> call{job, make_plan(job, (double)(depth_sum * job.H), memory), {}, {}, {},
                              {}, {}, {}, {}};
    auto* zeros = memory.array<float>(floats_of_zeros(job.H));
    clear(zeros, floats_of_zeros(job.H));
    call.zeros = zeros;
    call.scratch = memory.array<float>(4 * job.H * job.B);
    for (int phase = 0; phase < Kind::phases; ++phase) {
        call.packed[phase] = memory.array<float>(floats(weights[phase]));
        call.weights[phase] = weights[phase];
        call.weights[phase].data = call.packed[phase];
    }
    call.rows = memory.array<Row>(job.B * job.threads);
    call.operands = memory.array<const float*>(2 * job.B * job.threads);
    struct Both {
        Call<Kind, Job, Row>& call;
        Pack& pack;
        Share& share;
    } both{call, pack, share};
    const auto task = [](void* data, int index, int count) {
        auto& [call, pack, share] = *static_cast<Both*>(data);
        const FlushToZero flush;
        const Part part{index, count};
        for (int phase = 0; phase < Kind::phases; ++phase) {
            const Panels& w = call.weights[phase];
            pack(phase, w, call.packed[phase], part.first(w.count), part.last(w.count));
        }
        const Plan& plan = call.plan;
        if (!plan.by_units) call.barrier.wait(count);  // else each packed just what it multiplies
        for (int one = plan.by_units ? 0 : index; one < plan.shares; one += count) {
            const Index from = plan.begin[one], rows = plan.begin[one + 1] - from;
            const Index room = call.job.B * index;
            Rows<Row> mine{call.rows + room, rows, call.operands + 2 * room,
                           call.operands + 2 * room + call.job.B, call.job.H,
                           plan.by_units ? part : Part{0, 1}};
            share(call, plan.order + from, mine);
        }
    };
    run_together(call.plan.threads, task, &both);
}

template <class Kind>
void forward_share(Call<Kind, Forward, ForwardRow>& call, const Index* order,
                   Rows<ForwardRow> rows) {
    const Forward& job = call.job;
    const Index B = job.B, H = job.H, GH = Kind::gates * H, count = rows.count;
    const Time time{job.reverse};
    const bool kept = job.gates != nullptr;
    // Where steps are not kept they all write to one place: stride 0 over time.
    float* gates = kept ? job.gates : Kind::phases > 1 ? call.scratch : nullptr;
    float* extra = kept ? job.extra : Kind::phases > 1 ? call.scratch + 3 * H * B : job.cN;
    const Index gates_stride = kept ? B * GH : 0, extra_stride = kept ? B * H : 0;
    over_time(job, order, count, job.reverse, [&](Index t, Index running) {
        for (Index r = 0; r < running; ++r) {
            const Index b = order[r], before = time.before(t), token = t * B + b;
            const bool first = t == time.first(length_of(job, b));
            float* own_extra = extra ? extra + t * extra_stride + b * H : nullptr;
            rows.row[r] = {
                job.x + (job.ids ? job.ids[token] : token) * GH,
                gates ? gates + t * gates_stride + b * GH : nullptr,
                own_extra,
                first ? (job.c0 ? job.c0 + b * H : nullptr)
                      : (extra ? extra + before * extra_stride + b * H : nullptr),
                first ? job.h0 + b * H : job.outputs + (before * B + b) * H,
                job.outputs + token * H,
            };
        }
        rows.count = running;
        for (int phase = 0; phase < Kind::phases; ++phase) {
            Kind::forward(phase, call.weights[phase], rows, job);
            call.barrier.wait((int)rows.part.count);
        }
    });
    for (Index r = rows.part.index; r < count; r += rows.part.count) {
        const Index b = order[r], length = length_of(job, b);
        const Index last = time.last(length) * B + b;
        copy(job.hN + b * H, length ? job.outputs + last * H : job.h0 + b * H, H);
        if (job.cN && !length) copy(job.cN + b * H, job.c0 + b * H, H);
        else if (job.cN && kept) copy(job.cN + b * H, job.extra + last * H, H);
        for (Index t = length; t < job.T; ++t) {
            clear(job.outputs + (t * B + b) * H, H);
            if (kept && job.extra) clear(job.extra + (t * B + b) * H, H);
        }
    }
}

template <class Kind>
void backward_share(Call<Kind, Backward, BackwardRow>& call, const Index* order,
                    Rows<BackwardRow> rows) {
    const Backward& job = call.job;
    const Index B = job.B, H = job.H, GH = Kind::gates * H, count = rows.count;
    const Time time{job.reverse};
    const float* zeros = call.zeros;
    const auto final_gradient = [&](Index b) { return job.d_hN ? job.d_hN + b * H : zeros; };
    for (Index r = rows.part.index; job.d_c0 && r < count; r += rows.part.count)
        copy(job.d_c0 + order[r] * H, job.d_cN ? job.d_cN + order[r] * H : zeros, H);
    call.barrier.wait((int)rows.part.count);
    over_time(job, order, count, !job.reverse, [&](Index t, Index running) {
        for (Index r = 0; r < running; ++r) {
            const Index b = order[r], length = length_of(job, b), token = t * B + b;
            const bool first = t == time.first(length), last = t == time.last(length);
            const Index before = time.before(t) * B + b, after = time.after(t) * B + b;
            float* carry = job.d_h0 + b * H;
            rows.row[r] = {
                job.gates + token * GH,
                last ? zeros : job.gates + after * GH,
                job.extra ? job.extra + token * H : nullptr,
                last || !job.extra ? zeros : job.extra + after * H,
                first ? (job.c0 ? job.c0 + b * H : nullptr)
                      : (job.extra ? job.extra + before * H : nullptr),
                job.outputs + token * H,
                first ? job.h0 + b * H : job.outputs + before * H,
                job.d_outputs ? job.d_outputs + token * H : zeros,
                last ? final_gradient(b) : Kind::carries ? carry : zeros,
                carry,
                job.d_c0 ? job.d_c0 + b * H : nullptr,
            };
        }
        rows.count = running;
        for (int phase = 0; phase < Kind::phases; ++phase) {
            Kind::backward(phase, call.weights[phase], rows, job);
            call.barrier.wait((int)rows.part.count);
        }
    });
    Index some = count;
    while (some > 0 && length_of(job, order[some - 1]) == 0) --some;
    for (Index r = 0; r < some; ++r) {
        const Index b = order[r], first = time.first(length_of(job, b)) * B + b;
        rows.row[r].gates_next = job.gates + first * GH;
        rows.row[r].extra_next = job.extra ? job.extra + first * H : zeros;
        rows.row[r].carry_in = Kind::carries ? job.d_h0 + b * H : zeros;
        rows.row[r].carry = job.d_h0 + b * H;
    }
    rows.count = some;
    Kind::from_next(call.weights[0], rows, [&](Index r, Index at, Vec product) {
        const BackwardRow& row = rows.row[r];
        store(row.carry + at, product + load(row.carry_in + at, H - at), H - at);
    });
    for (Index r = rows.part.index; r < count; r += rows.part.count) {
        const Index b = order[r], length = length_of(job, b);
        if (!length) copy(job.d_h0 + b * H, final_gradient(b), H);
        for (Index t = length; t < job.T; ++t) {
            clear(job.gates + (t * B + b) * GH, GH);
            if (job.extra) clear(job.extra + (t * B + b) * H, H);
        }
    }
}

template <class Kind>
void forward(const Forward& job) {
    const auto pack = [&](int phase, const Panels& p, float* data, Index first, Index last) {
        Kind::pack_forward(phase, p, data, first, last, job);
    };
    run<Kind, Forward, ForwardRow>(job, Kind::forward_panels, Kind::gates * job.H, pack,
                                   forward_share<Kind>);
}

template <class Kind>
void backward(const Backward& job) {
    const auto pack = [&](int phase, const Panels& p, float* data, Index first, Index last) {
        Kind::pack_backward(phase, p, data, first, last, job);
    };
    run<Kind, Backward, BackwardRow>(job, Kind::backward_panels, Kind::gates * job.H, pack,
                                     backward_share<Kind>);
}

}  // namespace recurra::RECURRA_SET
