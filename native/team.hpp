// Threads that work on one call together, and the barrier at which they meet.
#pragma once

#include <atomic>
#include <cstdint>

namespace recurra {

using Task = void (*)(void* data, int index, int count);

// Runs task(data, i, count) for every i below `count`, all at the same time, and waits for them.
// count is `threads`, or less where there are no more free; the caller is i = 0.
void run_together(int threads, Task task, void* data);

// Where all `count` participants wait for the last of them; used again and again.
class Barrier {
public:
    void wait(int count);

private:
    alignas(64) std::atomic<std::int64_t> arrived_{0};
};

// Denormal numbers count as zero while this lives: near the end of a decay they would cost a
// hundred cycles an operation. The thread's own setting comes back.
class FlushToZero {
public:
    FlushToZero();
    ~FlushToZero();
    FlushToZero(const FlushToZero&) = delete;
    FlushToZero& operator=(const FlushToZero&) = delete;

private:
    std::uint64_t before_;
};

}  // namespace recurra
