// How a call's work is shared out, and the memory it needs. Compiled once, for every set.
#pragma once

#include <cstddef>

#include "job.hpp"
#include "team.hpp"

namespace recurra {

// Sequences sorted by length, longest first, so that those still running are the first n.
struct Plan {
    int threads;          // how many to ask for
    bool by_units;        // all sequences in every share, a barrier a step; else a share's own
    int shares;           // 1 if by_units; with fewer than threads, the others do products only
    const Index* order;   // (B,) sequences, share after share
    const Index* begin;   // (shares + 1,) where each share's begin
};

// Memory of this thread that grows and is used again; what `array` gives is aligned to 64 bytes and
// good until the next Workspace of the thread.
class Workspace {
public:
    Workspace();

    template <class T>
    T* array(Index count) {
        return static_cast<T*>(take(sizeof(T) * (std::size_t)count));
    }

private:
    void* take(std::size_t bytes);

    char* next_ = nullptr;
    std::size_t left_ = 0;
};

// Multiplications of a call: of the recurrence in a sequence and step, and of the products over
// all steps, which no order binds.
struct Work {
    double step, products;
};

// `forward` is the direction. The arrays are in `memory`.
Plan make_plan(const Shape& job, const Work& work, bool forward, Workspace& memory);

// Asks the system for large pages under an array that is about to be written for the first time.
void expect_writes(float* array, Index count);

// Whether the two directions of a layer run at the same time, one thread each.
bool apart(const Shape& job);

// Runs one direction, or two: at the same time where that is worth it, else one after the other.
template <class Job>
void run_directions(Job* jobs, std::size_t count, void (*run)(const Job&)) {
    struct All {
        Job* jobs;
        void (*run)(const Job&);
        Index count;
    } all{jobs, run, (Index)count};
    const auto task = [](void* data, int index, int participants) {
        const auto& [jobs, run, count] = *static_cast<All*>(data);
        for (Index i = index; i < count; i += participants) run(jobs[i]);
    };
    if (count < 2 || !apart(jobs[0])) return task(&all, 0, 1);
    for (std::size_t i = 0; i < count; ++i) jobs[i].threads = 1;
    run_together(2, task, &all);
}

inline Index length_of(const Shape& job, Index b) { return job.lengths ? job.lengths[b] : job.T; }

}  // namespace recurra
