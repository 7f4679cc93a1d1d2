// A matrix packed once, times a few vectors, again and again: as fast as its numbers arrive.
//
// One step of one sequence uses every weight once, so that memory sets the pace: weights lie in
// the order in which they are read, up to eight vectors of outputs side by side, and as int8 they
// are a quarter of the bytes. Every sum runs over k from first to last in one chain, at any number of
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

inline constexpr int side_by_side = 8;  // vectors of outputs, at most

// The outputs are `blocks` (gates) of `size`, each padded to whole vectors, `padded` long.
struct Outputs {
    Index depth = 0, padded = 0, panels = 0, stride = 0;  // stride: outputs of a panel
    Array<float> starts, scales;  // (outputs,); no scales for floats

    Outputs() = default;
    Outputs(Index blocks, Index size, Index depth)
        : depth(depth), padded((size + lanes - 1) / lanes * lanes) {
        const Index vectors = blocks * padded / lanes;
        panels = (vectors + side_by_side - 1) / side_by_side;
        stride = (vectors + panels - 1) / panels * lanes;  // as even as can be: little is padded
        starts.resize((std::size_t)outputs());
    }
    Index outputs() const { return panels * stride; }
};

template <class Number>
struct Matrix : Outputs {
    using Outputs::Outputs;
    Array<Number> numbers;  // [panels][depth][stride]

    Index room() const { return 0; }  // bytes to make of what a row is multiplied with
};

// row (depth,) becomes one output's numbers, `stride` apart; the scale is the result.
inline float pack_row(const float* row, Index depth, Index stride, float* to) {
    for (Index k = 0; k < depth; ++k) to[k * stride] = row[k];
    return 1;
}

inline float pack_row(const float* row, Index depth, Index stride, std::int8_t* to) {
    float largest = 0;
    for (Index k = 0; k < depth; ++k) largest = std::fmax(largest, std::fabs(row[k]));
    const float scale = largest / 127;
    for (Index k = 0; scale > 0 && k < depth; ++k)
        to[k * stride] = (std::int8_t)std::lrint(row[k] / scale);
    return scale;
}

// weight (blocks·size, depth) from its blocks' addresses; starts (blocks·size,) in the same way,
// null for zero.
template <class Number>
Matrix<Number> pack(const float* const* weight, const float* const* starts, Index blocks,
                    Index size, Index depth) {
    Matrix<Number> m(blocks, size, depth);
    m.numbers.resize((std::size_t)(m.outputs() * depth));
    m.scales.resize(std::is_same_v<Number, float> ? 0 : (std::size_t)m.outputs());
    for (Index block = 0; block < blocks; ++block)
        for (Index unit = 0; unit < size; ++unit) {
            const Index output = block * m.padded + unit;
            if (starts[block]) m.starts[output] = starts[block][unit];
            Number* to = m.numbers.data() + output / m.stride * m.stride * depth +
                         output % m.stride;
            const float scale = pack_row(weight[block] + unit * depth, depth, m.stride, to);
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
__attribute__((noinline)) void multiply(const Number* numbers, Index depth, Index stride,
                                        const float* const* rows, Vec (*sums)[side_by_side]) {
    Vec acc[R][C]{};
    const float* row[R];
    for (int r = 0; r < R; ++r) row[r] = rows[r];
    for (Index k = 0; k < depth; ++k, numbers += stride) {
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

template <int R, int C, class Number>
inline void multiply_panel(int count, const Number* numbers, Index depth, Index stride,
                           const float* const* rows, Vec (*sums)[side_by_side]) {
    if constexpr (R > 1)
        if (count < R)
            return multiply_panel<R - 1, C>(count, numbers, depth, stride, rows, sums);
    if constexpr (C > 1)
        if (stride < C * lanes)
            return multiply_panel<R, C - 1>(count, numbers, depth, stride, rows, sums);
    constexpr int first = R > 1 ? (C + 1) / 2 : C;
    multiply<R, first>(numbers, depth, stride, rows, sums);
    if constexpr (first < C)
        multiply<R, C - first>(numbers + first * lanes, depth, stride, rows,
                               reinterpret_cast<Vec(*)[side_by_side]>(&sums[0][first]));
}

// outputs[r] (m.outputs(),) = starts + m rows[r], for `count` <= rows_at_once rows
template <class Number>
void multiply(const Matrix<Number>& m, int count, const float* const* rows, float* const* outputs,
              std::uint8_t*) {
    Vec sums[rows_at_once][side_by_side];
    for (Index first = 0; first < m.outputs(); first += m.stride) {
        multiply_panel<rows_at_once, side_by_side>(count, m.numbers.data() + first * m.depth,
                                                   m.depth, m.stride, rows, sums);
        for (int r = 0; r < count; ++r)
            for (Index c = 0; c < m.stride / lanes; ++c) {
                const Index at = first + c * lanes;
                Vec sum = sums[r][c];
                if constexpr (!std::is_same_v<Number, float>) sum *= load(m.scales.data() + at);
                store(outputs[r] + at, sum + load(m.starts.data() + at));
            }
    }
}

}  // namespace recurra::RECURRA_SET::sampling
