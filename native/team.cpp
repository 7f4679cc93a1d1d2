// Threads: OpenMP's where the process has it loaded, otherwise a small pool of our own.
//
// torch and NumPy's BLAS keep OpenMP threads that spin for milliseconds after their last loop,
// waiting for the next. A thread of ours beside them would get half a core. So where libgomp's
// entry point is already in the process we ask that team, which is awake, to do our work; nothing
// is linked and nothing loaded. A forked child must not use it (libgomp hangs there) and has a
// new pool of its own.
#include "team.hpp"

#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#if defined(__unix__) || defined(__APPLE__)
#include <dlfcn.h>
#include <pthread.h>
#endif
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace recurra {
namespace {

void relax() {
#if defined(__x86_64__)
    _mm_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

struct Call {
    Task task;
    void* data;
};

// Workers take the generation they were woken for; `busy_` is held for a whole call.
class Pool {
public:
    // false if another thread's call has the workers.
    bool run(int threads, const Call& call) {
        std::unique_lock<std::mutex> busy(busy_, std::try_to_lock);
        if (!busy) return false;
        const int count = 1 + grow(threads - 1);
        {
            std::lock_guard<std::mutex> lock(mutex_);
            call_ = call;
            count_ = count;
            left_.store(count - 1, std::memory_order_relaxed);
            generation_.fetch_add(1, std::memory_order_release);
        }
        wake_.notify_all();
        call.task(call.data, 0, count);
        while (left_.load(std::memory_order_acquire) > 0) std::this_thread::yield();
        return true;
    }

private:
    int grow(int workers) {
        while ((int)threads_.size() < workers) {
            const int index = (int)threads_.size() + 1;
            const std::int64_t seen = generation_.load();
            try {
                threads_.emplace_back([this, index, seen] { serve(index, seen); });
            } catch (const std::system_error&) {
                break;  // no more threads to be had: fewer do the work
            }
        }
        return (int)threads_.size() < workers ? (int)threads_.size() : workers;
    }

    void serve(int index, std::int64_t seen) {
        for (;;) {
            for (int spin = 0; spin < 2000 && generation_.load(std::memory_order_acquire) == seen;
                 ++spin)
                relax();
            Call call;
            int count;
            {
                std::unique_lock<std::mutex> lock(mutex_);
                wake_.wait(lock, [&] { return generation_.load() != seen; });
                seen = generation_.load();
                call = call_;
                count = count_;
            }
            if (index >= count) continue;
            call.task(call.data, index, count);
            left_.fetch_sub(1, std::memory_order_release);
        }
    }

    std::mutex busy_, mutex_;
    std::condition_variable wake_;
    std::atomic<std::int64_t> generation_{0};
    std::atomic<int> left_{0};
    Call call_{};
    int count_ = 0;
    std::vector<std::thread> threads_;
};

// Never destroyed: its threads sleep until the process ends. A fork leaves the parent's behind.
std::atomic<Pool*> the_pool{nullptr};
std::mutex* pool_birth = new std::mutex;
std::atomic<bool> is_forked{false};

void after_fork() {
    the_pool.store(nullptr);
    pool_birth = new std::mutex;
    is_forked.store(true);
}

[[maybe_unused]] const int registered = [] {
#if defined(__unix__) || defined(__APPLE__)
    return pthread_atfork(nullptr, nullptr, after_fork);
#else
    return 0;
#endif
}();

Pool& pool() {
    if (Pool* made = the_pool.load()) return *made;
    std::lock_guard<std::mutex> lock(*pool_birth);
    if (!the_pool.load()) the_pool.store(new Pool);
    return *the_pool.load();
}

struct OpenMP {
    void (*parallel)(void (*)(void*), void*, unsigned, unsigned) = nullptr;
    int (*index)() = nullptr;
    int (*count)() = nullptr;
};

// Looked for at every call until found: torch may be imported after us.
const OpenMP* openmp() {
#if defined(__linux__)
    static std::atomic<const OpenMP*> found{nullptr};
    if (is_forked.load(std::memory_order_relaxed)) return nullptr;
    if (const OpenMP* known = found.load(std::memory_order_acquire)) return known;
    void* parallel = dlsym(RTLD_DEFAULT, "GOMP_parallel");
    void* index = dlsym(RTLD_DEFAULT, "omp_get_thread_num");
    void* count = dlsym(RTLD_DEFAULT, "omp_get_num_threads");
    if (!parallel || !index || !count) return nullptr;
    auto* made = new OpenMP;
    made->parallel = reinterpret_cast<decltype(made->parallel)>(parallel);
    made->index = reinterpret_cast<decltype(made->index)>(index);
    made->count = reinterpret_cast<decltype(made->count)>(count);
    found.store(made, std::memory_order_release);
    return made;
#else
    return nullptr;
#endif
}

struct OpenMPCall {
    Call call;
    const OpenMP* team;
};

void participate(void* data) {
    const auto& [call, team] = *static_cast<OpenMPCall*>(data);
    call.task(call.data, team->index(), team->count());
}

}  // namespace

void run_together(int threads, Task task, void* data) {
    if (threads > 1) {
        if (const OpenMP* team = openmp()) {
            OpenMPCall call{{task, data}, team};
            team->parallel(participate, &call, (unsigned)threads, 0);
            return;
        }
        if (pool().run(threads, {task, data})) return;
    }
    task(data, 0, 1);
}

void Barrier::wait(int count) {
    if (count < 2) return;
    const std::int64_t ticket = arrived_.fetch_add(1, std::memory_order_acq_rel);
    const std::int64_t goal = (ticket / count + 1) * count;
    // Some 50 µs awake; after that a core is probably doing something else.
    for (int spin = 0; arrived_.load(std::memory_order_acquire) < goal; ++spin) {
        if (spin < 1000) relax();
        else std::this_thread::yield();
    }
}

#if defined(__x86_64__)
FlushToZero::FlushToZero() : before_(_mm_getcsr()) {
    _mm_setcsr((unsigned)before_ | 0x8040u);  // results and operands
}
FlushToZero::~FlushToZero() { _mm_setcsr((unsigned)before_); }
#elif defined(__aarch64__)
FlushToZero::FlushToZero() {
    asm volatile("mrs %0, fpcr" : "=r"(before_));
    asm volatile("msr fpcr, %0" ::"r"(before_ | (1ull << 24)));
}
FlushToZero::~FlushToZero() { asm volatile("msr fpcr, %0" ::"r"(before_)); }
#else
FlushToZero::FlushToZero() : before_(0) {}
FlushToZero::~FlushToZero() = default;
#endif

}  // namespace recurra
