// AVX-512 (F, BW, DQ, VL), and AVX-512 with BF16 and VNNI.
// Internal linkage: see kernels_template.h.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "fused/kernels/kernels.h"

namespace torch_t5::kernels {
namespace {

struct Avx512 {
  using Float = __m512;  // or the bits of words of another type
  static constexpr int kLanes = 16;
  static constexpr int kMaxRows = 12;  // 24 accumulators, 2 vectors of a panel and a row's word fit into 32 registers

  static Float zero() { return _mm512_setzero_ps(); }
  static Float load(const float* from) { return _mm512_loadu_ps(from); }
  static void store(float* to, Float x) { _mm512_storeu_ps(to, x); }
  static void stream(float* to, Float x) { _mm512_stream_ps(to, x); }
  static void streamFence() { _mm_sfence(); }
  static Float broadcast(float x) { return _mm512_set1_ps(x); }
  static Float add(Float a, Float b) { return _mm512_add_ps(a, b); }
  static Float subtract(Float a, Float b) { return _mm512_sub_ps(a, b); }
  static Float multiply(Float a, Float b) { return _mm512_mul_ps(a, b); }
  static Float divide(Float a, Float b) { return _mm512_div_ps(a, b); }
  static Float fma(Float a, Float b, Float c) { return _mm512_fmadd_ps(a, b, c); }
  static Float max(Float a, Float b) { return _mm512_max_ps(a, b); }
  static Float min(Float a, Float b) { return _mm512_min_ps(a, b); }
  static Float absolute(Float x) { return _mm512_abs_ps(x); }
  static Float round(Float x) { return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
  static Float scaleByPowerOf2(Float x, Float n) { return _mm512_scalef_ps(x, n); }
  static Float zeroWhereLess(Float x, float bound, Float result) {
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, _mm512_set1_ps(bound), _CMP_NLT_UQ), result);
  }
  static float reduceAdd(Float x) { return _mm512_reduce_add_ps(x); }
  static float reduceMax(Float x) { return _mm512_reduce_max_ps(x); }

  static Float loadWords(const std::uint32_t* from) { return _mm512_castsi512_ps(_mm512_loadu_si512(from)); }
  static Float broadcastWord(std::uint32_t word) {
    return _mm512_castsi512_ps(_mm512_set1_epi32(static_cast<int>(word)));
  }
  static void prefetch(const void* from) { _mm_prefetch(static_cast<const char*>(from), _MM_HINT_T1); }

  static constexpr bool kHasTranspose = true;
  /// Transposes a block of 16 rows by 16 words. Pairs of rows interleave their words, then their pairs of words; then
  /// the vectors exchange quarters.
  static void transpose(const std::uint32_t* rows, std::int64_t stride, std::uint32_t* to, std::int64_t toStride) {
    __m512i x[kLanes];
    __m512i y[kLanes];
    for (int i = 0; i < kLanes; ++i) x[i] = _mm512_loadu_si512(rows + i * stride);
    for (int i = 0; i < kLanes; i += 2) {
      y[i] = _mm512_unpacklo_epi32(x[i], x[i + 1]);
      y[i + 1] = _mm512_unpackhi_epi32(x[i], x[i + 1]);
    }
    for (int i = 0; i < kLanes; i += 4) {
      x[i] = _mm512_unpacklo_epi64(y[i], y[i + 2]);
      x[i + 1] = _mm512_unpackhi_epi64(y[i], y[i + 2]);
      x[i + 2] = _mm512_unpacklo_epi64(y[i + 1], y[i + 3]);
      x[i + 3] = _mm512_unpackhi_epi64(y[i + 1], y[i + 3]);
    }
    // x[4 g + w] holds word w of each quarter of rows 4 g to 4 g + 3.
    for (int w = 0; w < 4; ++w) {
      const __m512i low = _mm512_shuffle_i32x4(x[w], x[4 + w], 0x88);
      const __m512i lowOdd = _mm512_shuffle_i32x4(x[w], x[4 + w], 0xDD);
      const __m512i high = _mm512_shuffle_i32x4(x[8 + w], x[12 + w], 0x88);
      const __m512i highOdd = _mm512_shuffle_i32x4(x[8 + w], x[12 + w], 0xDD);
      _mm512_storeu_si512(to + w * toStride, _mm512_shuffle_i32x4(low, high, 0x88));
      _mm512_storeu_si512(to + (4 + w) * toStride, _mm512_shuffle_i32x4(lowOdd, highOdd, 0x88));
      _mm512_storeu_si512(to + (8 + w) * toStride, _mm512_shuffle_i32x4(low, high, 0xDD));
      _mm512_storeu_si512(to + (12 + w) * toStride, _mm512_shuffle_i32x4(lowOdd, highOdd, 0xDD));
    }
  }

  static Float toFloat(Float accumulator, const std::int32_t* compensation) {
    return _mm512_cvtepi32_ps(_mm512_sub_epi32(_mm512_castps_si512(accumulator), _mm512_loadu_si512(compensation)));
  }
  static void storeBytes(std::uint8_t* to, Float x) {
    const __m512i shifted = _mm512_add_epi32(_mm512_cvtps_epi32(x), _mm512_set1_epi32(kInt8ZeroPoint));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm512_cvtepi32_epi8(shifted));
  }
  /// Ties to even; NaN stays NaN.
  static void storeBf16(std::uint16_t* to, Float x) {
    const __m512i bits = _mm512_castps_si512(x);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFF)));
    rounded = _mm512_mask_or_epi32(rounded, _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), bits, _mm512_set1_epi32(0x400000));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm512_cvtepi32_epi16(_mm512_srli_epi32(rounded, 16)));
  }

  struct Float32Dot {
    static constexpr bool kIsInteger = false;
    static Float dot(Float accumulator, Float word, Float column) { return _mm512_fmadd_ps(word, column, accumulator); }
  };

  /// A bfloat16 is the upper half of a float.
  struct Bf16Dot {
    static constexpr bool kIsInteger = false;
    static Float first(Float words) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(words), 16)); }
    static Float second(Float words) {
      const __m512i upper = _mm512_set1_epi32(static_cast<int>(0xFFFF0000U));
      return _mm512_castsi512_ps(_mm512_and_si512(_mm512_castps_si512(words), upper));
    }
    static Float dot(Float accumulator, Float word, Float column) {
      return _mm512_fmadd_ps(second(word), second(column), _mm512_fmadd_ps(first(word), first(column), accumulator));
    }
  };

  /// Without VNNI, bytes become 16-bit integers, whose products are summed exactly.
  struct Int8Dot {
    static constexpr bool kIsInteger = true;
    static Float dot(Float accumulator, Float word, Float column) {
      const __m512i a = _mm512_castps_si512(word);
      const __m512i b = _mm512_castps_si512(column);
      const __m512i even = _mm512_madd_epi16(_mm512_and_si512(a, _mm512_set1_epi16(0xFF)),
                                             _mm512_srai_epi16(_mm512_slli_epi16(b, 8), 8));
      const __m512i odd = _mm512_madd_epi16(_mm512_srli_epi16(a, 8), _mm512_srai_epi16(b, 8));
      return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(accumulator), _mm512_add_epi32(even, odd)));
    }
  };
};

// Visual Studio defines no macro for BF16 and VNNI: it compiles their intrinsics wherever it compiles AVX-512.
#if (defined(__AVX512BF16__) && defined(__AVX512VNNI__)) || (defined(_MSC_VER) && defined(__AVX512F__))
#define TORCH_T5_AVX512_BF16

struct Avx512Bf16 : Avx512 {
  struct Bf16Dot {
    static constexpr bool kIsInteger = false;
    static Float dot(Float accumulator, Float word, Float column) {
      return _mm512_dpbf16_ps(accumulator, (__m512bh)_mm512_castps_si512(word), (__m512bh)_mm512_castps_si512(column));
    }
  };

  struct Int8Dot {
    static constexpr bool kIsInteger = true;
    static Float dot(Float accumulator, Float word, Float column) {
#ifdef __GNUC__
      // With the intrinsic GCC keeps accumulators in memory, at half the speed.
      asm("vpdpbusd %2, %1, %0" : "+v"(accumulator) : "v"(word), "v"(column));
      return accumulator;
#else
      return _mm512_castsi512_ps(_mm512_dpbusd_epi32(_mm512_castps_si512(accumulator), _mm512_castps_si512(word),
                                                     _mm512_castps_si512(column)));
#endif
    }
  };

  static void storeBf16(std::uint16_t* to, Float x) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), (__m256i)_mm512_cvtneps_pbh(x));
  }
};

#endif

}  // namespace
}  // namespace torch_t5::kernels
