// The loop over time, the same for every cell: which sequences are running, where their rows lie,
// what stands before the first step and after the last. No arithmetic of a cell.
#pragma once

#include "call.hpp"

namespace recurra::RECURRA_SET {

// Steps of sequence b in the order of computation: `first` is where its state comes from outside.
struct Time {
    bool reverse;
    Index first(Index length) const { return reverse ? length - 1 : 0; }
    Index last(Index length) const { return reverse ? 0 : length - 1; }
    Index before(Index t) const { return reverse ? t + 1 : t - 1; }
    Index after(Index t) const { return reverse ? t - 1 : t + 1; }
};

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

// Where the product of sequence b's input at step t goes, and is read from.
template <class Kind>
float* x_gates_at(const Call<Forward, ForwardRow>& call, Index t, Index b) {
    const Forward& job = call.job;
    const Index GH = Kind::gates * job.H;
    if (job.gates) return job.gates + token_at(job, t, b) * GH;
    if (call.x_gates) return call.x_gates + (t % call.chunk * job.B + b) * GH;
    return job.outputs + row_at(job, job.outputs_at, t, b);
}

// x_gates of a share's sequences at the chunk of steps that t is of; or a participant's part.
template <class Kind>
void multiply_input(const Call<Forward, ForwardRow>& call, const Index* order, Index count,
                    const Part& part, Index t) {
    const Forward& job = call.job;
    const Index first = t / call.chunk * call.chunk, GH = Kind::gates * job.H;
    const Index end = first + call.chunk < job.T ? first + call.chunk : job.T;
    Block block;
    Index tokens = 0;
    for (Index step = first; step < end; ++step)
        for (Index r = 0; r < count; ++r) {
            if (length_of(job, order[r]) <= step) continue;
            if (tokens++ / Block::dealt % part.count != part.index) continue;
            block.from[block.count] = input_of(job, step, order[r]);
            block.to[block.count] = x_gates_at<Kind>(call, step, order[r]);
            if (++block.count == Block::most) multiply(call.input, block, GH);
        }
    multiply(call.input, block, GH);
}

template <class Kind>
void forward_share(Call<Forward, ForwardRow>& call, const Index* order, Rows<ForwardRow> rows) {
    const Forward& job = call.job;
    const Index H = job.H, GH = Kind::gates * H, count = rows.count;
    const Time time{job.reverse};
    const bool kept = job.gates != nullptr;
    const auto output = [&](Index t, Index b) {
        return job.outputs + row_at(job, job.outputs_at, t, b);
    };
    // Where steps are not kept a sequence's all write to one place.
    const auto gates = [&](Index t, Index b) -> float* {
        if (kept) return job.gates + token_at(job, t, b) * GH;
        return Kind::phases > 1 ? call.scratch + b * GH : nullptr;
    };
    const auto extra = [&](Index t, Index b) -> float* {
        if (kept) return job.extra ? job.extra + token_at(job, t, b) * H : nullptr;
        if (Kind::phases > 1) return call.scratch + 3 * H * job.B + b * H;
        return job.cN ? job.cN + state_row(job, b) * H : nullptr;
    };
    Index multiplied = -1;  // the chunk whose x_gates are there
    over_time(job, order, count, job.reverse, [&](Index t, Index running) {
        if (job.input && !call.input_first && t / call.chunk != multiplied) {
            multiplied = t / call.chunk;
            multiply_input<Kind>(call, order, count, rows.part, t);
            call.barrier.wait((int)rows.part.count);
        }
        for (Index r = 0; r < running; ++r) {
            const Index b = order[r], before = time.before(t), token = token_at(job, t, b);
            const Index state = state_row(job, b) * H;
            const bool first = t == time.first(length_of(job, b));
            const float* x = job.x ? job.x + (job.ids ? job.ids[token] : token) * GH
                                   : x_gates_at<Kind>(call, t, b);
            rows.row[r] = {
                x,
                gates(t, b),
                extra(t, b),
                !first ? extra(before, b) : job.c0 ? job.c0 + state : nullptr,
                first ? job.h0 + state : output(before, b),
                output(t, b),
            };
        }
        rows.count = running;
        for (int phase = 0; phase < Kind::phases; ++phase) {
            Kind::forward(phase, call.weights[phase], rows, job);
            call.barrier.wait((int)rows.part.count);
        }
    });
    for (Index r = rows.part.index; r < count; r += rows.part.count) {
        const Index b = order[r], length = length_of(job, b), last = time.last(length);
        const Index state = state_row(job, b) * H;
        copy(job.hN + state, length ? output(last, b) : job.h0 + state, H);
        if (job.cN && !length) copy(job.cN + state, job.c0 + state, H);
        else if (job.cN && kept) copy(job.cN + state, extra(last, b), H);
        for (Index t = length; t < job.T && !job.starts; ++t) {
            clear(output(t, b), H);
            if (kept && job.extra) clear(extra(t, b), H);
        }
    }
}

template <class Kind>
void backward_share(Call<Backward, BackwardRow>& call, const Index* order,
                    Rows<BackwardRow> rows) {
    const Backward& job = call.job;
    const Index H = job.H, GH = Kind::gates * H, count = rows.count;
    const Time time{job.reverse};
    const float* zeros = call.zeros;
    const auto output = [&](Index t, Index b) {
        return job.outputs + row_at(job, job.outputs_at, t, b);
    };
    const auto gates = [&](Index t, Index b) { return job.gates + token_at(job, t, b) * GH; };
    const auto extra = [&](Index t, Index b) -> float* {
        return job.extra ? job.extra + token_at(job, t, b) * H : nullptr;
    };
    const auto final_gradient = [&](Index state) { return job.d_hN ? job.d_hN + state : zeros; };
    for (Index r = rows.part.index; job.d_c0 && r < count; r += rows.part.count) {
        const Index state = state_row(job, order[r]) * H;
        copy(job.d_c0 + state, job.d_cN ? job.d_cN + state : zeros, H);
    }
    call.barrier.wait((int)rows.part.count);
    over_time(job, order, count, !job.reverse, [&](Index t, Index running) {
        for (Index r = 0; r < running; ++r) {
            const Index b = order[r], length = length_of(job, b), state = state_row(job, b) * H;
            const bool first = t == time.first(length), last = t == time.last(length);
            const Index before = time.before(t), after = time.after(t);
            float* carry = job.d_h0 + state;
            rows.row[r] = {
                gates(t, b),
                last ? zeros : gates(after, b),
                extra(t, b),
                last || !job.extra ? zeros : extra(after, b),
                !first ? extra(before, b) : job.c0 ? job.c0 + state : nullptr,
                output(t, b),
                first ? job.h0 + state : output(before, b),
                job.d_outputs ? job.d_outputs + row_at(job, job.d_outputs_at, t, b) : zeros,
                last ? final_gradient(state) : Kind::carries ? carry : zeros,
                carry,
                job.d_c0 ? job.d_c0 + state : nullptr,
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
        const Index b = order[r], first = time.first(length_of(job, b));
        float* carry = job.d_h0 + state_row(job, b) * H;
        rows.row[r].gates_next = gates(first, b);
        rows.row[r].extra_next = job.extra ? extra(first, b) : zeros;
        rows.row[r].carry_in = Kind::carries ? carry : zeros;
        rows.row[r].carry = carry;
    }
    rows.count = call.wants_h0 ? some : 0;
    Kind::from_next(call.weights[0], rows, [&](Index r, Index at, Vec product) {
        const BackwardRow& row = rows.row[r];
        store(row.carry + at, product + load(row.carry_in + at, H - at), H - at);
    });
    for (Index r = rows.part.index; r < count; r += rows.part.count) {
        const Index b = order[r], length = length_of(job, b), state = state_row(job, b) * H;
        if (!length) copy(job.d_h0 + state, final_gradient(state), H);
        for (Index t = length; t < job.T && !job.starts; ++t) {
            clear(gates(t, b), GH);
            if (job.extra) clear(extra(t, b), H);
        }
    }
}

template <class Kind>
void forward(const Forward& given) {
    const auto pack = [](const Forward& job, int phase, const Panels& p, float* data, Index first,
                         Index last) { Kind::pack_forward(phase, p, data, first, last, job); };
    const auto before = [](auto& call, const Part& part) {
        if (!call.input_first) return;
        multiply_input<Kind>(call, call.plan.order, call.job.B, part, 0);
        call.barrier.wait((int)part.count);
    };
    run<Kind, ForwardRow>(given, Kind::forward_panels, pack, before, forward_share<Kind>,
                          [](auto&, const Part&) {});
}

template <class Kind>
void backward(const Backward& given) {
    const auto pack = [](const Backward& job, int phase, const Panels& p, float* data, Index first,
                         Index last) { Kind::pack_backward(phase, p, data, first, last, job); };
    const auto after = [](auto& call, const Part& part) {
        call.barrier.wait((int)part.count);
        after_all_steps<Kind>(call.job, call.input, part, {call.room + part.index * Room::size});
    };
    run<Kind, BackwardRow>(given, Kind::backward_panels, pack, [](auto&, const Part&) {},
                           backward_share<Kind>, after);
}

}  // namespace recurra::RECURRA_SET
