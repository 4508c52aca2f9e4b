// AVX2 with FMA, and with AVX-VNNI.
// Internal linkage: see kernels_template.h.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "fused/kernels/kernels.h"

namespace torch_t5::kernels {
namespace {

struct Avx2 {
  using Float = __m256;  // or the bits of words of another type
  static constexpr int kLanes = 8;
  static constexpr int kMaxRows = 6;  // 12 accumulators, 2 vectors of a panel and a row's word fit into 16 registers

  static Float zero() { return _mm256_setzero_ps(); }
  static Float load(const float* from) { return _mm256_loadu_ps(from); }
  static void store(float* to, Float x) { _mm256_storeu_ps(to, x); }
  static void stream(float* to, Float x) { _mm256_stream_ps(to, x); }
  static void streamFence() { _mm_sfence(); }
  static Float broadcast(float x) { return _mm256_set1_ps(x); }
  static Float add(Float a, Float b) { return _mm256_add_ps(a, b); }
  static Float subtract(Float a, Float b) { return _mm256_sub_ps(a, b); }
  static Float multiply(Float a, Float b) { return _mm256_mul_ps(a, b); }
  static Float divide(Float a, Float b) { return _mm256_div_ps(a, b); }
  static Float fma(Float a, Float b, Float c) { return _mm256_fmadd_ps(a, b, c); }
  static Float max(Float a, Float b) { return _mm256_max_ps(a, b); }
  static Float min(Float a, Float b) { return _mm256_min_ps(a, b); }
  static Float absolute(Float x) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0F), x); }
  static Float round(Float x) { return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
  /// `n`: integers from -126 to 127.
  static Float scaleByPowerOf2(Float x, Float n) {
    const __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
    return _mm256_mul_ps(x, _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23)));
  }
  static Float zeroWhereLess(Float x, float bound, Float result) {
    return _mm256_and_ps(_mm256_cmp_ps(x, _mm256_set1_ps(bound), _CMP_NLT_UQ), result);
  }
  static float reduceAdd(Float x) {
    __m128 sum = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
    return _mm_cvtss_f32(_mm_add_ss(sum, _mm_shuffle_ps(sum, sum, 1)));
  }
  static float reduceMax(Float x) {
    __m128 maximum = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    maximum = _mm_max_ps(maximum, _mm_movehl_ps(maximum, maximum));
    return _mm_cvtss_f32(_mm_max_ss(maximum, _mm_shuffle_ps(maximum, maximum, 1)));
  }

  static Float loadWords(const std::uint32_t* from) { return _mm256_loadu_ps(reinterpret_cast<const float*>(from)); }
  static Float broadcastWord(std::uint32_t word) {
    return _mm256_castsi256_ps(_mm256_set1_epi32(static_cast<int>(word)));
  }
  static void prefetch(const void* from) { _mm_prefetch(static_cast<const char*>(from), _MM_HINT_T1); }

  static constexpr bool kHasTranspose = false;

  static Float toFloat(Float accumulator, const std::int32_t* compensation) {
    const __m256i zero = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(compensation));
    return _mm256_cvtepi32_ps(_mm256_sub_epi32(_mm256_castps_si256(accumulator), zero));
  }
  static void storeBytes(std::uint8_t* to, Float x) {
    const __m256i shifted = _mm256_add_epi32(_mm256_cvtps_epi32(x), _mm256_set1_epi32(kInt8ZeroPoint));
    const __m128i halves = _mm_packs_epi32(_mm256_castsi256_si128(shifted), _mm256_extracti128_si256(shifted, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(to), _mm_packus_epi16(halves, halves));
  }
  /// Ties to even; NaN stays NaN.
  static void storeBf16(std::uint16_t* to, Float x) {
    const __m256i bits = _mm256_castps_si256(x);
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    const __m256i rounded = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7FFF)));
    const __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
    const __m256 isNan = _mm256_cmp_ps(x, x, _CMP_UNORD_Q);
    const __m256i chosen =
        _mm256_castps_si256(_mm256_blendv_ps(_mm256_castsi256_ps(rounded), _mm256_castsi256_ps(quiet), isNan));
    const __m256i upper = _mm256_srli_epi32(chosen, 16);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to),
                     _mm_packus_epi32(_mm256_castsi256_si128(upper), _mm256_extracti128_si256(upper, 1)));
  }

  struct Float32Dot {
    static constexpr bool kIsInteger = false;
    static Float dot(Float accumulator, Float word, Float column) { return _mm256_fmadd_ps(word, column, accumulator); }
  };

  /// A bfloat16 is the upper half of a float.
  struct Bf16Dot {
    static constexpr bool kIsInteger = false;
    static Float first(Float words) { return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(words), 16)); }
    static Float second(Float words) {
      return _mm256_and_ps(words, _mm256_castsi256_ps(_mm256_set1_epi32(static_cast<int>(0xFFFF0000U))));
    }
    static Float dot(Float accumulator, Float word, Float column) {
      return _mm256_fmadd_ps(second(word), second(column), _mm256_fmadd_ps(first(word), first(column), accumulator));
    }
  };

  /// Bytes become 16-bit integers, whose products are summed exactly.
  struct Int8Dot {
    static constexpr bool kIsInteger = true;
    static Float dot(Float accumulator, Float word, Float column) {
      const __m256i a = _mm256_castps_si256(word);
      const __m256i b = _mm256_castps_si256(column);
      const __m256i even = _mm256_madd_epi16(_mm256_and_si256(a, _mm256_set1_epi16(0xFF)),
                                             _mm256_srai_epi16(_mm256_slli_epi16(b, 8), 8));
      const __m256i odd = _mm256_madd_epi16(_mm256_srli_epi16(a, 8), _mm256_srai_epi16(b, 8));
      return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(accumulator), _mm256_add_epi32(even, odd)));
    }
  };
};

// Visual Studio defines no macro for AVX-VNNI: it compiles its intrinsics wherever it compiles AVX2.
#if defined(__AVXVNNI__) || (defined(_MSC_VER) && defined(__AVX2__))
#define TORCH_T5_AVX2_VNNI

struct Avx2Vnni : Avx2 {
  struct Int8Dot {
    static constexpr bool kIsInteger = true;
    static Float dot(Float accumulator, Float word, Float column) {
#ifdef __GNUC__
      // With the intrinsic GCC keeps accumulators in memory.
      asm("%{vex%} vpdpbusd %2, %1, %0" : "+x"(accumulator) : "x"(word), "x"(column));
      return accumulator;
#else
      return _mm256_castsi256_ps(_mm256_dpbusd_avx_epi32(_mm256_castps_si256(accumulator), _mm256_castps_si256(word),
                                                         _mm256_castps_si256(column)));
#endif
    }
  };
};

#endif

}  // namespace
}  // namespace torch_t5::kernels
