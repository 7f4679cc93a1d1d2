// A matrix packed once, times a few vectors, again and again: as fast as its numbers arrive.
//
// One step of one sequence uses every weight once, so that memory sets the pace: weights lie in
// the order in which they are read, eight vectors of outputs side by side, and as int8 they are a
// quarter of the bytes. Every sum runs over k from first to last in one chain, at any number of
// rows: a sequence's bits do not depend on the others beside it.
#pragma once

#include <cmath>
#include <new>
#include <type_traits>
#include <vector>

#include "simd.hpp"
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace recurra::RECURRA_SET::sampling {

template <class T>
struct AlignedTo64 {
    using value_type = T;
    static constexpr std::align_val_t alignment{64};
    AlignedTo64() = default;
    template <class U>
    AlignedTo64(const AlignedTo64<U>&) {}
    T* allocate(std::size_t n) {
        return static_cast<T*>(::operator new(n * sizeof(T), alignment));
    }
    void deallocate(T* p, std::size_t) { ::operator delete(p, alignment); }
    bool operator==(const AlignedTo64&) const { return true; }
};
template <class T>
using Array = std::vector<T, AlignedTo64<T>>;

inline constexpr int side_by_side = 8;  // vectors of outputs
inline constexpr Index stride_of_k = side_by_side * lanes;

// The outputs are `blocks` (gates) of `size`, each padded to whole vectors, `padded` long.
template <class Number>
struct Matrix {
    Index depth = 0, padded = 0, vectors = 0;  // vectors of outputs, a multiple of side_by_side
    Array<Number> numbers;                     // [vectors / 8][depth][8][lanes]
    Array<float> starts, scales;               // [vectors][lanes]; no scales for floats

    Index outputs() const { return vectors * lanes; }
};

// row (depth,) becomes one output's numbers, `stride_of_k` apart; the scale is the result.
inline float pack_row(const float* row, Index depth, float* to) {
    for (Index k = 0; k < depth; ++k) to[k * stride_of_k] = row[k];
    return 1;
}

inline float pack_row(const float* row, Index depth, std::int8_t* to) {
    float largest = 0;
    for (Index k = 0; k < depth; ++k) largest = std::fmax(largest, std::fabs(row[k]));
    const float scale = largest / 127;
    for (Index k = 0; scale > 0 && k < depth; ++k)
        to[k * stride_of_k] = (std::int8_t)std::lrint(row[k] / scale);
    return scale;
}

// weight (blocks·size, depth) from its blocks' addresses; starts (blocks·size,) in the same way,
// null for zero.
template <class Number>
Matrix<Number> pack(const float* const* weight, const float* const* starts, Index blocks,
                    Index size, Index depth) {
    Matrix<Number> m;
    m.depth = depth;
    m.padded = (size + lanes - 1) / lanes * lanes;
    m.vectors = (blocks * m.padded / lanes + side_by_side - 1) / side_by_side * side_by_side;
    m.numbers.resize((std::size_t)(m.outputs() * depth));
    m.starts.resize((std::size_t)m.outputs());
    m.scales.resize(std::is_same_v<Number, float> ? 0 : (std::size_t)m.outputs());
    for (Index block = 0; block < blocks; ++block)
        for (Index unit = 0; unit < size; ++unit) {
            const Index output = block * m.padded + unit;
            if (starts[block]) m.starts[output] = starts[block][unit];
            Number* to = m.numbers.data() + output / stride_of_k * stride_of_k * depth +
                         output % stride_of_k;
            const float scale = pack_row(weight[block] + unit * depth, depth, to);
            if (!m.scales.empty()) m.scales[output] = scale;
        }
    return m;
}

inline Vec weights(const float* p) { return load(p); }

// GCC makes of __builtin_convertvector a conversion a lane.
inline Vec weights(const std::int8_t* p) {
#if defined(__AVX512F__)
    constexpr __mmask16 all = (__mmask16)-1;
    return (Vec)_mm512_maskz_cvtepi32_ps(all, _mm512_maskz_cvtepi8_epi32(all, *(const __m128i*)p));
#elif defined(__AVX2__)
    return (Vec)_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i*)p)));
#elif defined(__SSE2__)
    __m128i four = _mm_cvtsi32_si128(*(const int*)p);
    four = _mm_unpacklo_epi8(four, four);
    return (Vec)_mm_cvtepi32_ps(_mm_srai_epi32(_mm_unpacklo_epi16(four, four), 24));
#else
    Vec values;
    for (int lane = 0; lane < lanes; ++lane) values[lane] = p[lane];
    return values;
#endif
}

// sums[r][c] = Σ_k rows[r][k] * numbers[k][c], for C of the vectors side by side
template <int R, int C, class Number>
__attribute__((noinline)) void multiply(const Number* numbers, Index depth,
                                        const float* const* rows, Vec (*sums)[side_by_side]) {
    Vec acc[R][C]{};
    const float* row[R];
    for (int r = 0; r < R; ++r) row[r] = rows[r];
    for (Index k = 0; k < depth; ++k, numbers += stride_of_k) {
        Vec h[R];
        for (int r = 0; r < R; ++r) h[r] = splat(row[r][k]);
        for (int c = 0; c < C; ++c) {
            const Vec w = weights(numbers + c * lanes);
            for (int r = 0; r < R; ++r) acc[r][c] += h[r] * w;
        }
    }
    for (int r = 0; r < R; ++r)
        for (int c = 0; c < C; ++c) sums[r][c] = acc[r][c];
}

// As many rows, times half of the vectors, as leave registers for a weight and the values of h.
#if defined(__AVX512F__) || defined(__aarch64__)
inline constexpr int rows_at_once = 5;
#else
inline constexpr int rows_at_once = 2;
#endif

template <int R, class Number>
inline void multiply_of(int count, const Number* numbers, Index depth, const float* const* rows,
                        Vec (*sums)[side_by_side]) {
    if constexpr (R == 1) {
        multiply<1, side_by_side>(numbers, depth, rows, sums);
    } else {
        if (count < R) return multiply_of<R - 1>(count, numbers, depth, rows, sums);
        constexpr int half = side_by_side / 2;
        multiply<R, half>(numbers, depth, rows, sums);
        multiply<R, half>(numbers + half * lanes, depth, rows,
                          reinterpret_cast<Vec(*)[side_by_side]>(&sums[0][half]));
    }
}

// outputs[r] (m.outputs(),) = starts + m rows[r], for `count` <= rows_at_once rows
template <class Number>
void multiply(const Matrix<Number>& m, int count, const float* const* rows, float* const* outputs) {
    Vec sums[rows_at_once][side_by_side];
    for (Index v = 0; v < m.vectors; v += side_by_side) {
        multiply_of<rows_at_once>(count, m.numbers.data() + v * lanes * m.depth, m.depth, rows,
                                  sums);
        for (int r = 0; r < count; ++r)
            for (int c = 0; c < side_by_side; ++c) {
                const Index at = (v + c) * lanes;
                Vec sum = sums[r][c];
                if constexpr (!std::is_same_v<Number, float>) sum *= load(m.scales.data() + at);
                store(outputs[r] + at, sum + load(m.starts.data() + at));
            }
    }
}

}  // namespace recurra::RECURRA_SET::sampling
