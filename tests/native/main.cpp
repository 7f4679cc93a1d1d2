// recurra_check: the kernels of the chosen instruction set against float64, without Python. What
// runs under an emulator, a sanitizer or valgrind is this.
#include <cstdio>

#include "check.hpp"
#include "sets.hpp"

int main() {
    std::printf("%s\n", recurra::chosen_set().name);
    const int failed = check::math() + check::sequences() + check::together() + check::samplers() +
                       check::updates() + check::networks();
    std::printf(failed ? "%d checks failed\n" : "every check passed\n", failed);
    return failed ? 1 : 0;
}
