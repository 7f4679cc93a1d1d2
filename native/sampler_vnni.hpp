// The int8 matrix for processors with AVX-512 VNNI: four products of bytes in one instruction's
// lane, summed exactly in int32.
//
// What the matrix is multiplied with becomes 16-bit numbers of its own scale, largest / 32767, in
// two bytes each: two products for their high and low bytes. Beside the weights' 8 bits that is
// next to nothing: it moves a sum by some 1e-5 of itself.
#pragma once

#include <utility>

#include "sampler_matrix.hpp"

#if defined(__AVX512F__)
namespace recurra::RECURRA_SET::sampling {

struct Quads;  // stands for numbers in fours: the four k of a lane lie side by side

template <>
struct Matrix<Quads> : Outputs {
    Matrix() = default;
    Matrix(Index blocks, Index size, Index depth)
        : Outputs(blocks, size, depth), fours((depth + 3) / 4 * 4) {}
    Index fours = 0;              // depth rounded up
    Array<std::int8_t> numbers;   // [panels][fours / 4][stride][4]
    Array<std::int32_t> offsets;  // (outputs,), −128 times the sum of a row

    Index room() const { return 2 * ((depth + 63) / 64 * 64); }
};

template <>
inline Matrix<Quads> pack<Quads>(const float* const* weight, const float* const* starts,
                                 Index blocks, Index size, Index depth) {
    Matrix<std::int8_t> plain = pack<std::int8_t>(weight, starts, blocks, size, depth);
    Matrix<Quads> m(blocks, size, depth);
    m.starts = std::move(plain.starts);
    m.scales = std::move(plain.scales);
    m.numbers.resize((std::size_t)(m.outputs() * m.fours));
    m.offsets.resize((std::size_t)m.outputs());
    for (Index output = 0; output < m.outputs(); ++output) {
        const Index panel = output / m.stride * m.stride, place = output % m.stride;
        for (Index k = 0; k < depth; ++k) {
            const std::int8_t number = plain.numbers[panel * depth + k * m.stride + place];
            m.numbers[panel * m.fours + k / 4 * 4 * m.stride + place * 4 + k % 4] = number;
            m.offsets[output] -= 128 * number;
        }
    }
    return m;
}

// x (depth,) as whole numbers times a scale, which is the result: high and low byte of each number
// plus 32768.
inline float in_bytes(const float* x, Index depth, std::uint8_t* high, std::uint8_t* low) {
    Ints most{};  // of the magnitudes' bits, which are in the order of the magnitudes, NaN last
    for (Index at = 0; at < depth; at += lanes) {
        const Ints magnitude = (Ints)load(x + at, depth - at) & INT32_MAX;
        most = magnitude > most ? magnitude : most;
    }
    constexpr __mmask16 all = (__mmask16)-1;
    const Ints lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    for (int half = lanes / 2; half; half /= 2) {
        const __m512i partner = (__m512i)(lane ^ half);
        const Ints other = (Ints)_mm512_maskz_permutexvar_epi32(all, partner, (__m512i)most);
        most = other > most ? other : most;
    }
    const float largest = ((Vec)most)[0];
    const Vec inverse = splat(largest > 0 ? 32767 / largest : 0);
    for (Index at = 0; at < depth; at += lanes) {
        const Vec scaled = load(x + at, depth - at) * inverse;
        const Ints number = (Ints)_mm512_maskz_cvtps_epi32(all, (__m512)scaled) + 32768;
        *(__m128i*)(high + at) = _mm512_maskz_cvtepi32_epi8(all, (__m512i)(number >> 8));
        *(__m128i*)(low + at) = _mm512_maskz_cvtepi32_epi8(all, (__m512i)number);
    }
    return largest / 32767 + (largest - largest);  // NaN if one is infinite or NaN
}

// The outputs of one panel of C vectors for one row, which is high and low bytes of that scale.
template <int C>
__attribute__((noinline, target("avx512vnni"))) void multiply_bytes(
    const Matrix<Quads>& m, Index panel, const std::uint8_t* high, const std::uint8_t* low,
    float scale, float* outputs) {
    const Index first = panel * C * lanes;
    const std::int8_t* numbers = m.numbers.data() + first * m.fours;
    __m512i of_high[C], of_low[C];
    for (int c = 0; c < C; ++c) {
        of_high[c] = *(const __m512i*)(m.offsets.data() + first + c * lanes);
        of_low[c] = _mm512_setzero_si512();
    }
    for (Index k = 0; k < m.fours; k += 4, numbers += 4 * C * lanes) {
        int four;
        std::memcpy(&four, high + k, 4);
        const __m512i h = _mm512_set1_epi32(four);
        std::memcpy(&four, low + k, 4);
        const __m512i l = _mm512_set1_epi32(four);
        for (int c = 0; c < C; ++c) {
            const __m512i w = *(const __m512i*)(numbers + c * 4 * lanes);
            of_high[c] = _mm512_dpbusd_epi32(of_high[c], h, w);
            of_low[c] = _mm512_dpbusd_epi32(of_low[c], l, w);
        }
    }
    constexpr __mmask16 all = (__mmask16)-1;
    for (int c = 0; c < C; ++c) {
        const Index at = first + c * lanes;
        const Vec sum = 256.0f * (Vec)_mm512_maskz_cvtepi32_ps(all, of_high[c]) +
                        (Vec)_mm512_maskz_cvtepi32_ps(all, of_low[c]);
        store(outputs + at,
              sum * (load(m.scales.data() + at) * scale) + load(m.starts.data() + at));
    }
}

template <int C>
inline void multiply_bytes_of(const Matrix<Quads>& m, Index panel, const std::uint8_t* high,
                              const std::uint8_t* low, float scale, float* outputs) {
    if constexpr (C > 1)
        if (m.stride < C * lanes)
            return multiply_bytes_of<C - 1>(m, panel, high, low, scale, outputs);
    multiply_bytes<C>(m, panel, high, low, scale, outputs);
}

// `bytes` has m.room() a row.
inline void multiply(const Matrix<Quads>& m, int count, const float* const* rows,
                     float* const* outputs, std::uint8_t* bytes) {
    const Index room = m.room();
    float scales[rows_at_once];
    for (int r = 0; r < count; ++r) {
        std::uint8_t* high = bytes + r * room;
        scales[r] = in_bytes(rows[r], m.depth, high, high + room / 2);
    }
    for (Index panel = 0; panel < m.panels; ++panel)
        for (int r = 0; r < count; ++r) {
            const std::uint8_t* high = bytes + r * room;
            multiply_bytes_of<side_by_side>(m, panel, high, high + room / 2, scales[r],
                                            outputs[r]);
        }
}

}  // namespace recurra::RECURRA_SET::sampling
#endif
