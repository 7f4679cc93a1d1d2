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
struct Matrix<Quads> {
    Index depth = 0, padded = 0, vectors = 0;  // as in a Matrix
    Index fours = 0;                           // depth rounded up
    Array<std::int8_t> numbers;                // [vectors / 8][fours / 4][8][lanes][4]
    Array<float> starts, scales;               // [vectors][lanes]
    Array<std::int32_t> offsets;               // [vectors][lanes], 128 times the sum of a row

    Index outputs() const { return vectors * lanes; }
};

template <>
inline Matrix<Quads> pack<Quads>(const float* const* weight, const float* const* starts,
                                 Index blocks, Index size, Index depth) {
    Matrix<std::int8_t> plain = pack<std::int8_t>(weight, starts, blocks, size, depth);
    Matrix<Quads> m;
    m.depth = depth;
    m.fours = (depth + 3) / 4 * 4;
    m.padded = plain.padded;
    m.vectors = plain.vectors;
    m.starts = std::move(plain.starts);
    m.scales = std::move(plain.scales);
    m.numbers.resize((std::size_t)(m.outputs() * m.fours));
    m.offsets.resize((std::size_t)m.outputs());
    for (Index output = 0; output < m.outputs(); ++output) {
        const Index group = output / stride_of_k * stride_of_k, place = output % stride_of_k;
        for (Index k = 0; k < depth; ++k) {
            const std::int8_t number = plain.numbers[group * depth + k * stride_of_k + place];
            m.numbers[group * m.fours + k / 4 * 4 * stride_of_k + place * 4 + k % 4] = number;
            m.offsets[output] += 128 * number;
        }
    }
    return m;
}

// x (depth,) as whole numbers times a scale, which is the result: high and low byte of each number
// plus 32768.
inline float in_bytes(const float* x, Index depth, std::uint8_t* high, std::uint8_t* low) {
    Vec most{}, odd{};
    for (Index at = 0; at < depth; at += lanes) {
        const Vec value = load(x + at, depth - at);
        const Vec magnitude = (Vec)((Ints)value & INT32_MAX);
        most = magnitude > most ? magnitude : most;
        odd += value - value;  // NaN if one is infinite or NaN
    }
    float largest = 0, nothing = 0;
    for (int lane = 0; lane < lanes; ++lane) {
        largest = most[lane] > largest ? most[lane] : largest;
        nothing += odd[lane];
    }
    const Vec inverse = splat(largest > 0 ? 32767 / largest : 0);
    constexpr __mmask16 all = (__mmask16)-1;
    for (Index at = 0; at < depth; at += lanes) {
        const Vec scaled = load(x + at, depth - at) * inverse;
        const Ints number = (Ints)_mm512_maskz_cvtps_epi32(all, (__m512)scaled) + 32768;
        *(__m128i*)(high + at) = _mm512_maskz_cvtepi32_epi8(all, (__m512i)(number >> 8));
        *(__m128i*)(low + at) = _mm512_maskz_cvtepi32_epi8(all, (__m512i)number);
    }
    return largest / 32767 + nothing;
}

// One group of outputs for one row.
__attribute__((noinline, target("avx512vnni"))) inline void multiply_bytes(
    const std::int8_t* numbers, Index depth, const std::uint8_t* high, const std::uint8_t* low,
    Ints* high_sums, Ints* low_sums) {
    __m512i of_high[side_by_side], of_low[side_by_side];
    for (int c = 0; c < side_by_side; ++c) of_high[c] = of_low[c] = _mm512_setzero_si512();
    for (Index k = 0; k < depth; k += 4, numbers += 4 * stride_of_k) {
        int four;
        std::memcpy(&four, high + k, 4);
        const __m512i h = _mm512_set1_epi32(four);
        std::memcpy(&four, low + k, 4);
        const __m512i l = _mm512_set1_epi32(four);
        for (int c = 0; c < side_by_side; ++c) {
            const __m512i w = *(const __m512i*)(numbers + c * 4 * lanes);
            of_high[c] = _mm512_dpbusd_epi32(of_high[c], h, w);
            of_low[c] = _mm512_dpbusd_epi32(of_low[c], l, w);
        }
    }
    for (int c = 0; c < side_by_side; ++c) {
        high_sums[c] = (Ints)of_high[c];
        low_sums[c] = (Ints)of_low[c];
    }
}

inline void multiply(const Matrix<Quads>& m, int count, const float* const* rows,
                     float* const* outputs) {
    constexpr __mmask16 all = (__mmask16)-1;
    const Index room = (m.depth + 63) / 64 * 64;
    Array<std::uint8_t> bytes((std::size_t)(2 * count * room));
    float scales[rows_at_once];
    for (int r = 0; r < count; ++r) {
        std::uint8_t* high = bytes.data() + 2 * r * room;
        scales[r] = in_bytes(rows[r], m.depth, high, high + room);
    }
    for (Index v = 0; v < m.vectors; v += side_by_side)
        for (int r = 0; r < count; ++r) {
            const std::uint8_t* high = bytes.data() + 2 * r * room;
            Ints of_high[side_by_side], of_low[side_by_side];
            multiply_bytes(m.numbers.data() + v * lanes * m.fours, m.fours, high, high + room,
                           of_high, of_low);
            for (int c = 0; c < side_by_side; ++c) {
                const Index at = (v + c) * lanes;
                const Ints above = of_high[c] - *(const Ints*)(m.offsets.data() + at);
                const Vec sum =
                    256.0f * (Vec)_mm512_maskz_cvtepi32_ps(all, (__m512i)above) +
                    (Vec)_mm512_maskz_cvtepi32_ps(all, (__m512i)of_low[c]);
                store(outputs[r] + at, sum * (load(m.scales.data() + at) * scales[r]) +
                                           load(m.starts.data() + at));
            }
        }
}

}  // namespace recurra::RECURRA_SET::sampling
#endif
