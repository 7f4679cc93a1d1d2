// Vectors of floats as wide as the instruction set being compiled for, and exp, tanh and sigmoid on
// them. One source for every set: the compiler's vector extensions do the arithmetic, and only what
// they cannot say (part of a vector, a fast reciprocal) names an intrinsic. No loops over arrays.
//
// Each translation unit that includes this defines RECURRA_SET (avx512, avx2, baseline), the name
// of the namespace, so that two sets never share an inline function.
#pragma once

#include <cstdint>
#include <cstring>

#include "job.hpp"
#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace recurra::RECURRA_SET {

#if defined(__AVX512F__)
inline constexpr int lanes = 16;
#elif defined(__AVX2__)
inline constexpr int lanes = 8;
#else
inline constexpr int lanes = 4;
#endif

typedef float Vec __attribute__((vector_size(4 * lanes)));
typedef std::int32_t Ints __attribute__((vector_size(4 * lanes)));
typedef float Unaligned __attribute__((vector_size(4 * lanes), aligned(4), may_alias));

inline Vec splat(float x) { return x - Vec{}; }
inline Vec load(const float* p) { return *reinterpret_cast<const Unaligned*>(p); }
inline void store(float* p, Vec x) { *reinterpret_cast<Unaligned*>(p) = x; }

inline void fetch(const float* p) { __builtin_prefetch(p); }

// The first n lanes, the others zero; memory past them is not touched. n >= lanes means all.
inline Vec load(const float* p, Index n) {
    if (n >= lanes) return load(p);
#if defined(__AVX512F__)
    return (Vec)_mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p);
#elif defined(__AVX2__)
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return (Vec)_mm256_maskload_ps(p, _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), lane));
#else
    Vec x{};
    for (Index lane = 0; lane < n; ++lane) x[lane] = p[lane];
    return x;
#endif
}

inline void store(float* p, Vec x, Index n) {
    if (n >= lanes) return store(p, x);
#if defined(__AVX512F__)
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), (__m512)x);
#elif defined(__AVX2__)
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    _mm256_maskstore_ps(p, _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), lane), (__m256)x);
#else
    for (Index lane = 0; lane < n; ++lane) p[lane] = x[lane];
#endif
}

// Both keep a NaN in x: minps and maxps return their second operand where one is NaN.
inline Vec at_most(Vec x, float high) {
#if defined(__AVX512F__)
    return (Vec)_mm512_maskz_min_ps((__mmask16)-1, _mm512_set1_ps(high), (__m512)x);
#else
    return x > high ? splat(high) : x;
#endif
}

inline Vec at_least(Vec x, float low) {
#if defined(__AVX512F__)
    return (Vec)_mm512_maskz_max_ps((__mmask16)-1, _mm512_set1_ps(low), (__m512)x);
#else
    return x < low ? splat(low) : x;
#endif
}

inline Vec sqrt(Vec x) {
#if defined(__AVX512F__)
    return (Vec)_mm512_maskz_sqrt_ps((__mmask16)-1, (__m512)x);
#elif defined(__AVX2__)
    return (Vec)_mm256_sqrt_ps((__m256)x);
#else
    for (int lane = 0; lane < lanes; ++lane) x[lane] = __builtin_sqrtf(x[lane]);
    return x;
#endif
}

// 1 / x within 1 ulp, for x in [1, 2^126); exact for powers of two.
inline Vec reciprocal(Vec x) {
#if defined(__AVX512F__)
    // A division of 16 lanes blocks its port for 16 cycles; this takes 4. The table is within 2^-14.
    const Vec guess = (Vec)_mm512_maskz_rcp14_ps((__mmask16)-1, (__m512)x);
    return guess + guess * (1.0f - x * guess);
#else
    return 1.0f / x;
#endif
}

// x = n ln 2 + r with |r| <= ln 2 / 2: returns r and 2^n. For |x| <= 88.
struct Reduced {
    Vec r, power;
};

inline Reduced reduce(Vec x) {
    // Adding 1.5 * 2^23 rounds to an integer and leaves it in the low bits of the sum.
    const Vec shift = splat(12582912.0f);
    const Vec shifted = x * 1.44269504f + shift;
    const Vec n = shifted - shift;
    // ln 2 in two parts: n times the first is exact.
    const Vec r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    const Ints exponent = ((Ints)shifted << 23) + (127 << 23);  // wraps: only n's low bits count
    return {r, (Vec)exponent};
}

// (e^r - 1 - r) / r^2 for |r| <= ln 2 / 2, interpolated at Chebyshev's points: e^r - 1 comes out
// within 2.5e-8 of itself, 0.4 ulp.
inline Vec tail(Vec r) {
    Vec p = splat(1.3926213e-3f);
    p = p * r + 8.363203e-3f;
    p = p * r + 4.1666556e-2f;
    p = p * r + 1.6666576e-1f;
    return p * r + 0.5f;
}

// e^x, x held within [-87, 88]; at most 2 ulp there.
inline Vec exp(Vec x) {
    const auto [r, power] = reduce(at_least(at_most(x, 88.0f), -87.0f));
    return (1.0f + (r + r * r * tail(r))) * power;
}

// 1 / (1 + e^-x): at most 3 ulp for x >= -87, 0 or less than 2^-125 below; NaN stays NaN.
inline Vec sigmoid(Vec x) { return reciprocal(1.0f + exp(-x)); }

// tanh x: at most 3 ulp for normal numbers; NaN stays NaN, and the sign of zero stays.
inline Vec tanh(Vec x) {
    const Ints sign = (Ints)x & INT32_MIN;
    const Vec magnitude = (Vec)((Ints)x & INT32_MAX);
    // e^-2|x| - 1 without cancellation: 2^n (e^r - 1) + (2^n - 1)
    const auto [r, power] = reduce(-2.0f * at_most(magnitude, 20.0f));
    const Vec below = power * (r + r * r * tail(r)) + (power - 1.0f);
    const Vec value = below * reciprocal(2.0f + below);  // -|tanh x|, and -0 or 0 at 0
    return (Vec)(((Ints)value & INT32_MAX) | sign);
}

}  // namespace recurra::RECURRA_SET
