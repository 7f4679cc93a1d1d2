// exp, tanh and sigmoid within the bounds that docs/kernels.md states, on a grid of floats.
#include <cstdio>
#include <limits>

#include "check.hpp"
#include "reference.hpp"
#include "sets.hpp"

namespace {

struct Function {
    const char* name;
    double (*exact)(double);
    double ulps, low, high;  // the bound, and between which x it holds
};

double ulp(double exact) {
    const auto nearest = std::fabs((float)exact);
    return std::nextafter(nearest, HUGE_VALF) - (double)nearest;
}

int off(const Function& function, float x, float found) {
    if (std::isnan(x)) {
        if (std::isnan(found)) return 0;
    } else if (!(x >= function.low && x <= function.high)) {
        return 0;
    } else if (const double exact = function.exact(x);
               std::fabs(found - exact) <= function.ulps * ulp(exact)) {
        return 0;
    }
    std::fprintf(stderr, "%s(%.9g) is %.9g\n", function.name, x, found);
    return 1;
}

}  // namespace

int check::math() {
    const Function functions[] = {
        {"exp", std::exp, 2, -87, 88},
        {"tanh", std::tanh, 3, -HUGE_VAL, HUGE_VAL},
        {"sigmoid", reference::sigmoid, 3, -87, HUGE_VAL},
    };
    reference::Floats grid{0.0f, -0.0f, HUGE_VALF, -HUGE_VALF,
                           std::numeric_limits<float>::quiet_NaN()};
    for (float x = 1e-30f; x < 200; x *= 1.01f) grid.insert(grid.end(), {x, -x});
    reference::Floats found(grid.size());
    int failed = 0;
    for (int which = 0; which < 3; ++which) {
        recurra::chosen_set().apply(which, grid.data(), found.data(), (recurra::Index)grid.size());
        for (std::size_t i = 0; i < grid.size(); ++i)
            failed += off(functions[which], grid[i], found[i]);
    }
    return failed;
}
