// The choice of the instruction set, once a process.
#include "sets.hpp"

#include <cstdlib>
#include <stdexcept>

namespace recurra {

#if defined(__x86_64__)
namespace avx512 {
extern const Set set;
std::unique_ptr<Sampler> sampler(const Network&);
}
namespace avx2 {
extern const Set set;
std::unique_ptr<Sampler> sampler(const Network&);
}
#endif
namespace baseline {
extern const Set set;
std::unique_ptr<Sampler> sampler(const Network&);
}

std::vector<const Set*> available_sets() {
    std::vector<const Set*> found;
#if defined(__x86_64__)
    __builtin_cpu_init();
    const bool fused = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                       __builtin_cpu_supports("bmi2");
    if (fused && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512cd"))
        found.push_back(&avx512::set);
    if (fused) found.push_back(&avx2::set);
#endif
    found.push_back(&baseline::set);
    return found;
}

const Set& chosen_set() {
    static const Set& chosen = []() -> const Set& {
        const auto available = available_sets();
        const char* wanted = std::getenv("RECURRA_ISA");
        if (!wanted || !*wanted) return *available.front();
        std::string names;
        for (const Set* set : available) {
            if (std::string(wanted) == set->name) return *set;
            names += std::string(names.empty() ? "" : ", ") + set->name;
        }
        throw std::invalid_argument("RECURRA_ISA is " + std::string(wanted) +
                                    ", but this build and processor have " + names +
                                    ". Name one of them, or unset it.");
    }();
    return chosen;
}

std::unique_ptr<Sampler> sampler(const Network& network) {
#if defined(__x86_64__)
    if (&chosen_set() == &avx512::set) return avx512::sampler(network);
    if (&chosen_set() == &avx2::set) return avx2::sampler(network);
#endif
    return baseline::sampler(network);
}

}  // namespace recurra
