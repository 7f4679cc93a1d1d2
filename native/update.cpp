// The update of the weights, for one instruction set. Compiled once for each, as set.cpp is.
#include "update.hpp"

#include <math.h>

#include "plan.hpp"
#include "rows.hpp"
#include "simd.hpp"

namespace recurra::RECURRA_SET {
namespace {

// A gradient's square would be infinite in the optimizers' float32 state, and stay so.
constexpr double too_long = 1.8e19;
constexpr Index worth_a_team = 30000;  // numbers: some 10 µs of one core
constexpr Index block = 4096;          // numbers of a parameter in one sum, and in one thread's hand

typedef double Wide __attribute__((vector_size(4 * lanes)));

Wide widened(const float* x) {
#if defined(__AVX512F__)
    return (Wide)_mm512_maskz_cvtps_pd((__mmask8)-1, _mm256_loadu_ps(x));
#elif defined(__AVX2__)
    return (Wide)_mm256_cvtps_pd(_mm_loadu_ps(x));
#else
    typedef float Half __attribute__((vector_size(2 * lanes), aligned(4), may_alias));
    return __builtin_convertvector(*reinterpret_cast<const Half*>(x), Wide);
#endif
}

// Of a block of gradients.
struct Squares {
    double sum, largest;
};

// The squares' sum and the largest of them, each first cut to `most` where that is asked for. In
// float64, which holds the square of a float32 exactly: no norm overflows, and sums of millions
// keep their digits. Four chains, for an addition waits for the one before.
template <bool cut>
Squares squares_of(const float* x, Index n, double most) {
    constexpr Index half = lanes / 2, chains = 4;
    const Wide limit = most - Wide{};
    Wide sums[chains]{}, largest[chains]{};
    Squares found{};
    const auto add = [&](double sum, double high) {
        found.sum += sum;
        found.largest = high > found.largest ? high : found.largest;
    };
    Index at = 0;
    for (; at + chains * half <= n; at += chains * half)
        for (Index i = 0; i < chains; ++i) {
            const Wide wide = widened(x + at + i * half);
            Wide square = wide * wide;
            if (cut) square = square < limit ? square : limit;
            sums[i] += square;
            largest[i] = square > largest[i] ? square : largest[i];
        }
    for (Index i = 0; i < chains; ++i)
        for (Index lane = 0; lane < half; ++lane) add(sums[i][lane], largest[i][lane]);
    for (; at < n; ++at) {
        const double square = (double)x[at] * (double)x[at];
        add(cut && square > most ? most : square, square);
    }
    return found;
}

// What a rule makes of a parameter: the decays, the rate with its bias correction and what √v is
// multiplied by for its own.
struct Factors {
    float limit, scale;  // of clipping
    float decay, keep;   // decay added to the gradient; 1 − rate · decay where it is decoupled
    float rate, root;
    float momentum, squares, momentum_share, squares_share;  // β, γ, 1 − β, 1 − γ
    float epsilon;
};

struct Sgd {
    static constexpr bool momentum = true, squares = false;
    static void move(const Factors& f, Vec& w, Vec g, Vec& m, Vec&) {
        m = f.momentum * m + g;
        w -= f.rate * m;
    }
};

struct Adam {
    static constexpr bool momentum = true, squares = true;
    static void move(const Factors& f, Vec& w, Vec g, Vec& m, Vec& v) {
        m += f.momentum_share * (g - m);
        v = f.squares * v + f.squares_share * g * g;
        w = f.keep * w - f.rate * m / (f.root * sqrt(v) + f.epsilon);
    }
};

struct Adagrad {
    static constexpr bool momentum = false, squares = true;
    static void move(const Factors& f, Vec& w, Vec g, Vec&, Vec& v) {
        v += g * g;
        w -= f.rate * g / (sqrt(v) + f.epsilon);
    }
};

struct RmsProp {
    static constexpr bool momentum = false, squares = true;
    static void move(const Factors& f, Vec& w, Vec g, Vec&, Vec& v) {
        v = f.squares * v + f.squares_share * g * g;
        w -= f.rate * g / (sqrt(v) + f.epsilon);
    }
};

template <class Kind>
void move(const Parameter& of, const Factors f, Index from, Index to) {
    for (Index at = from; at < to; at += lanes) {
        const Index n = to - at;
        Vec w = load(of.weight + at, n), m{}, v{};
        if (Kind::momentum) m = load(of.momentum + at, n);
        if (Kind::squares) v = load(of.squares + at, n);
        const Vec g = at_least(at_most(load(of.gradient + at, n), f.limit), -f.limit);
        Kind::move(f, w, f.scale * g + f.decay * w, m, v);
        store(of.weight + at, w, n);
        if (Kind::momentum) store(of.momentum + at, m, n);
        if (Kind::squares) store(of.squares + at, v, n);
    }
}

void move(Rule rule, const Parameter& of, const Factors& factors, Index from, Index to) {
    switch (rule) {
        case Rule::sgd: return move<Sgd>(of, factors, from, to);
        case Rule::adam:
        case Rule::adamw: return move<Adam>(of, factors, from, to);
        case Rule::adagrad: return move<Adagrad>(of, factors, from, to);
        case Rule::rmsprop: return move<RmsProp>(of, factors, from, to);
    }
}

Factors factors_of(const Update& job, const Parameter& of) {
    const bool adam = job.rule == Rule::adam || job.rule == Rule::adamw;
    const bool apart = job.rule == Rule::adamw;
    Factors made{};
    made.decay = apart ? 0.0f : (float)of.decay;
    made.keep = apart ? (float)(1 - job.rate * of.decay) : 1.0f;
    made.rate = (float)job.rate;
    if (adam) {
        const double step = (double)*of.steps + 1;
        made.rate = (float)(job.rate / (1 - pow(job.momentum_decay, step)));
        made.root = (float)(1 / ::sqrt(1 - pow(job.squares_decay, step)));
    }
    made.momentum = (float)job.momentum_decay;
    made.squares = (float)job.squares_decay;
    made.momentum_share = (float)(1 - job.momentum_decay);
    made.squares_share = (float)(1 - job.squares_decay);
    made.epsilon = (float)job.epsilon;
    return made;
}

// What the participants of a call share.
struct Shared {
    Update& job;
    Factors* factors;  // (parameters,) but for the clipping
    Squares* found;    // (blocks,) of the gradients
    double* cut_sums;  // (blocks,) of squares after the cut by value
    Index blocks;
    Barrier barrier;
};

Index blocks_of(const Parameter& parameter) { return (parameter.count + block - 1) / block; }

// Calls with(number of the block, parameter, from, to) for each block of a participant. No block
// reaches over two parameters, and none depends on how many participants there are.
template <class Do>
void each_block(const Shared& all, const Part& part, Do&& with) {
    const Index first = part.first(all.blocks), last = part.last(all.blocks);
    Index before = 0;
    for (Index which = 0; which < all.job.count && before < last; ++which) {
        const Index count = all.job.parameters[which].count;
        const Index here = blocks_of(all.job.parameters[which]);
        for (Index b = first > before ? first - before : 0; b < here && before + b < last; ++b)
            with(before + b, which, b * block, (b + 1) * block < count ? (b + 1) * block : count);
        before += here;
    }
}

void update(Shared& all, const Part& part) {
    Update& job = all.job;
    const double most = job.clip_value * job.clip_value;
    each_block(all, part, [&](Index number, Index which, Index from, Index to) {
        const float* gradient = job.parameters[which].gradient + from;
        const Squares found = squares_of<false>(gradient, to - from, most);
        const bool cut = found.largest > most;
        all.found[number] = found;
        all.cut_sums[number] = cut ? squares_of<true>(gradient, to - from, most).sum : found.sum;
    });
    all.barrier.wait((int)part.count);
    // Each participant for itself, in the same order.
    double sum = 0, cut_sum = 0, largest = 0;
    for (Index number = 0; number < all.blocks; ++number) {
        const Squares& found = all.found[number];
        sum += found.sum;
        cut_sum += all.cut_sums[number];
        largest = found.largest > largest ? found.largest : largest;
    }
    const double exact = ::sqrt(sum), length = ::sqrt(cut_sum);
    const double norm = exact >= too_long ? HUGE_VAL : exact;
    const bool finite = norm < HUGE_VAL, scaled = length > job.clip_norm;
    if (!part.index) {
        job.norm = norm;
        job.cut = finite && (scaled || largest > most);
    }
    if (!finite) return;
    const float scale = scaled ? (float)(job.clip_norm / length) : 1.0f;
    each_block(all, part, [&](Index, Index which, Index from, Index to) {
        Factors factors = all.factors[which];
        factors.limit = (float)job.clip_value;
        factors.scale = scale;
        move(job.rule, job.parameters[which], factors, from, to);
    });
}

}  // namespace

void update(Update& job) {
    Workspace memory;
    Shared all{job, memory.array<Factors>(job.count), nullptr, nullptr, 0, {}};
    Index numbers = 0;
    for (Index which = 0; which < job.count; ++which) {
        const Parameter& parameter = job.parameters[which];
        all.factors[which] = factors_of(job, parameter);
        all.blocks += blocks_of(parameter);
        numbers += parameter.count;
    }
    all.found = memory.array<Squares>(all.blocks);
    all.cut_sums = memory.array<double>(all.blocks);
    const auto task = [](void* data, int index, int count) {
        const FlushToZero flush;
        update(*static_cast<Shared*>(data), Part{index, count});
    };
    run_together(numbers >= worth_a_team ? job.threads : 1, task, &all);
    if (!(job.norm < HUGE_VAL)) return;
    for (Index which = 0; which < job.count; ++which)
        if (job.parameters[which].steps) *job.parameters[which].steps += 1;
}

}  // namespace recurra::RECURRA_SET
