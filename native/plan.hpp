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
    int shares;           // 1 if by_units
    const Index* order;   // (B,) sequences, share after share
    const Index* begin;   // (shares + 1,) where each share's begin
};

// Memory of this thread that grows and is used again; what `take` gives is aligned to 64 bytes and
// good until the next Workspace of the thread.
class Workspace {
public:
    explicit Workspace(std::size_t bytes);
    void* take(std::size_t bytes);

    template <class T>
    T* array(Index count) {
        return static_cast<T*>(take(sizeof(T) * (std::size_t)count));
    }
    template <class T>
    static std::size_t size(Index count) {
        return (sizeof(T) * (std::size_t)count + 63) / 64 * 64;
    }

private:
    char* next_;
};

// Bytes of a Plan's arrays; the Plan in `memory`. `macs` multiplications a sequence and step.
std::size_t plan_size(const Shape& job);
Plan make_plan(const Shape& job, double macs, Workspace& memory);

inline Index length_of(const Shape& job, Index b) { return job.lengths ? job.lengths[b] : job.T; }

}  // namespace recurra
