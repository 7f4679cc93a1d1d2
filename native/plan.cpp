// The rule by which threads share a call, and the workspaces.
#include "plan.hpp"

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include <algorithm>
#include <cstdlib>
#include <new>
#include <numeric>
#include <vector>

namespace recurra {
namespace {

// Estimates from the cost of a barrier on two cores of a Xeon with AVX-512; see docs/kernels.md.
constexpr double worth_a_team = 4e5;     // multiplications in a call: some 10 µs of one core
constexpr double worth_waking = 4e6;     // multiplications in products, for threads beyond the shares
constexpr double worth_a_barrier = 6e4;  // multiplications in a step: some 2 µs of one core
constexpr Index rows_a_thread = 3;       // with fewer, a thread waits for weights, not for sums
constexpr double fits_a_core = 4e5;      // weights that stay in a core's own cache: 1.6 MB
constexpr std::size_t worth_a_hint = 1 << 22;  // bytes: a thousand small pages

// The blocks that calls of a thread took so far, used from the first on.
struct Blocks {
    std::vector<void*> data;
    std::size_t bytes = 0;  // in all of them

    void free() {
        for (void* block : data) std::free(block);
        data.clear();
        bytes = 0;
    }
    char* add(std::size_t more) {
        data.reserve(data.size() + 1);
        void* block = std::malloc(more + 64);
        if (!block) throw std::bad_alloc();
        data.push_back(block);
        bytes += more;
        return aligned(block);
    }
    static char* aligned(void* block) {
        return static_cast<char*>(block) + (64 - reinterpret_cast<std::uintptr_t>(block) % 64) % 64;
    }
    ~Blocks() { free(); }
};

Blocks& blocks() {
    thread_local Blocks mine;
    return mine;
}

}  // namespace

// What took several blocks the last time has one this time.
Workspace::Workspace() {
    Blocks& mine = blocks();
    if (mine.data.size() > 1) {
        const std::size_t bytes = mine.bytes;
        mine.free();
        mine.add(bytes);
    }
    if (mine.data.empty()) return;
    next_ = Blocks::aligned(mine.data.front());
    left_ = mine.bytes;
}

void* Workspace::take(std::size_t bytes) {
    bytes = (bytes + 63) / 64 * 64;
    if (bytes > left_) {
        left_ = std::max<std::size_t>(bytes, 1 << 16);
        next_ = blocks().add(left_);
    }
    char* taken = next_;
    next_ += bytes;
    left_ -= bytes;
    return taken;
}

bool apart(const Shape& job) {
    const double macs = (double)job.B * (double)job.H * (double)(job.H + job.I);
    return job.threads > 1 && job.B < 2 * rows_a_thread && macs * (double)job.T >= worth_a_team / 2;
}

void expect_writes([[maybe_unused]] float* array, [[maybe_unused]] Index count) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    const std::uintptr_t page = 4096, from = reinterpret_cast<std::uintptr_t>(array);
    const std::uintptr_t first = (from + page - 1) / page * page;
    const std::uintptr_t last = (from + sizeof(float) * (std::size_t)count) / page * page;
    // Only a hint: where it is refused nothing is lost.
    if (array && sizeof(float) * (std::size_t)count >= worth_a_hint)
        madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
#endif
}

Plan make_plan(const Shape& job, const Work& work, bool forward, Workspace& memory) {
    auto* order = memory.array<Index>(job.B);
    auto* begin = memory.array<Index>(job.threads + 1);
    Plan plan{1, false, 1, order, begin};
    const double step = work.step * (double)job.B;
    if (job.threads > 1 && step * (double)job.T >= worth_a_team) {
        const Index most = std::min<Index>(job.threads, job.B / rows_a_thread);
        if (most > 1) plan.threads = plan.shares = (int)most;
        // Weights that do not fit are read anew each step: better half of them for all rows. Not
        // going back, where the rows are gates and so as long as the weights are many.
        const bool halved = forward && work.step > fits_a_core;
        if ((most < job.threads || halved) && step >= worth_a_barrier * job.threads) {
            plan = {job.threads, true, 1, order, begin};
        }
    }
    if (work.products >= worth_waking) plan.threads = job.threads;
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
