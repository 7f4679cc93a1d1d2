// Vectors of float64 and e^x on them, for probabilities: half as many lanes as of float32.
#pragma once

#include "simd.hpp"

namespace recurra::RECURRA_SET::sampling {

inline constexpr int doubles = lanes / 2;

typedef double Doubles __attribute__((vector_size(8 * doubles)));
typedef std::int64_t Longs __attribute__((vector_size(8 * doubles)));
typedef double UnalignedDoubles __attribute__((vector_size(8 * doubles), aligned(8), may_alias));
typedef float HalfVec __attribute__((vector_size(4 * doubles), aligned(4), may_alias));

using RECURRA_SET::load;
using RECURRA_SET::store;
inline void store(double* p, Doubles x) { *reinterpret_cast<UnalignedDoubles*>(p) = x; }
inline Doubles widened(const float* p) {
    return __builtin_convertvector(*reinterpret_cast<const HalfVec*>(p), Doubles);
}

// n rounded up to whole vectors of float32
inline Index whole_vectors(Index n) { return (n + lanes - 1) / lanes * lanes; }

// e^x for x <= 0, within 2 ulp; 0 below -708, where e^x is next to no float64 any more; NaN stays.
inline Doubles exp_below_zero(Doubles x) {
    // Adding 1.5 * 2^52 rounds to an integer and leaves it in the low bits of the sum.
    const double shift = 6755399441055744.0;
    const Doubles within = x < -708.0 ? Doubles{} - 708.0 : x;
    const Doubles shifted = within * 1.4426950408889634 + shift;
    const Doubles n = shifted - shift;
    // ln 2 in two parts: n times the first is exact.
    const Doubles r = (within - n * 0.693147180369123816490) - n * 1.90821492927058770002e-10;
    // Taylor's series: |r| <= ln 2 / 2, so that what follows the 13th power is below 5e-18.
    Doubles sum = r * (1.0 / 6227020800.0) + 1.0 / 479001600.0;
    sum = sum * r + 1.0 / 39916800.0;
    sum = sum * r + 1.0 / 3628800.0;
    sum = sum * r + 1.0 / 362880.0;
    sum = sum * r + 1.0 / 40320.0;
    sum = sum * r + 1.0 / 5040.0;
    sum = sum * r + 1.0 / 720.0;
    sum = sum * r + 1.0 / 120.0;
    sum = sum * r + 1.0 / 24.0;
    sum = sum * r + 1.0 / 6.0;
    sum = sum * r + 0.5;
    sum = sum * r + 1.0;
    sum = sum * r + 1.0;
    const Longs exponent = ((Longs)shifted << 52) + (1023LL << 52);  // wraps: only n's low bits count
    return x < -708.0 ? Doubles{} : sum * (Doubles)exponent;
}

}  // namespace recurra::RECURRA_SET::sampling
