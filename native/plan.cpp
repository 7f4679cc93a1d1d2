// The rule by which threads share a call, and the workspaces.
#include "plan.hpp"

#include <algorithm>
#include <cstdlib>
#include <new>
#include <numeric>

namespace recurra {
namespace {

// Measured on two cores of a Xeon with AVX-512; see docs/kernels.md.
constexpr double worth_a_team = 4e5;     // multiplications in a call: some 10 µs of one core
constexpr double worth_a_barrier = 6e4;  // multiplications in a step: some 2 µs of one core
constexpr Index rows_a_thread = 3;       // with fewer, a thread waits for weights, not for sums

struct Memory {
    char* data = nullptr;
    std::size_t size = 0;
    ~Memory() { std::free(data); }
};

}  // namespace

Workspace::Workspace(std::size_t bytes) {
    thread_local Memory memory;
    if (memory.size < bytes + 64) {
        std::free(memory.data);
        memory.size = 0;
        memory.data = static_cast<char*>(std::malloc(bytes + bytes / 4 + 64));
        if (!memory.data) throw std::bad_alloc();
        memory.size = bytes + bytes / 4 + 64;
    }
    const auto address = reinterpret_cast<std::uintptr_t>(memory.data);
    next_ = memory.data + ((64 - address % 64) % 64);
}

void* Workspace::take(std::size_t bytes) {
    char* taken = next_;
    next_ += (bytes + 63) / 64 * 64;
    return taken;
}

std::size_t plan_size(const Shape& job) {
    return 2 * Workspace::size<Index>(job.B) + Workspace::size<Index>(job.threads + 1);
}

Plan make_plan(const Shape& job, double macs, Workspace& memory) {
    auto* order = memory.array<Index>(job.B);
    auto* begin = memory.array<Index>(job.threads + 1);
    Plan plan{1, false, 1, order, begin};
    const double step = macs * (double)job.B;
    if (job.threads > 1 && step * (double)job.T >= worth_a_team) {
        const Index most = std::min<Index>(job.threads, job.B / rows_a_thread);
        if (most > 1) plan.threads = plan.shares = (int)most;
        if (most < job.threads && step >= worth_a_barrier * job.threads) {
            plan = {job.threads, true, 1, order, begin};
        }
    }
    const auto longer = [&](Index a, Index b) { return length_of(job, a) > length_of(job, b); };
    if (job.lengths && plan.shares > 1) {
        // Dealt out like cards, so that every share has long ones and short ones.
        auto* sorted = memory.array<Index>(job.B);
        std::iota(sorted, sorted + job.B, Index{0});
        std::stable_sort(sorted, sorted + job.B, longer);
        Index at = 0;
        for (int share = 0; share < plan.shares; ++share) {
            begin[share] = at;
            for (Index i = share; i < job.B; i += plan.shares) order[at++] = sorted[i];
        }
    } else {
        std::iota(order, order + job.B, Index{0});
        if (job.lengths) std::stable_sort(order, order + job.B, longer);
        for (int share = 0; share < plan.shares; ++share)
            begin[share] = job.B * share / plan.shares;
    }
    begin[plan.shares] = job.B;
    return plan;
}

}  // namespace recurra
