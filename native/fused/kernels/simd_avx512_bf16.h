// AVX-512 with BF16 and VNNI.
#pragma once

#include "fused/kernels/simd_avx512.h"

namespace torch_t5::kernels {
namespace {

struct Avx512Bf16 : Avx512 {
  struct Bfloat16Dot {
    static constexpr bool kIsInteger = false;
    static Float dot(Float sum, Float word, Float column) {
      return _mm512_dpbf16_ps(sum, (__m512bh)_mm512_castps_si512(word), (__m512bh)_mm512_castps_si512(column));
    }
  };

  struct Int8Dot {
    static constexpr bool kIsInteger = true;
    static Float dot(Float sum, Float word, Float column) {
#ifdef __GNUC__
      // GCC keeps sums of the intrinsic in memory, at half the speed.
      asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(word), "v"(column));
      return sum;
#else
      return _mm512_castsi512_ps(
          _mm512_dpbusd_epi32(_mm512_castps_si512(sum), _mm512_castps_si512(word), _mm512_castps_si512(column)));
#endif
    }
  };

  static void storeBfloat16(std::uint16_t* to, Float x) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), (__m256i)_mm512_cvtneps_pbh(x));
  }
};

}  // namespace
}  // namespace torch_t5::kernels
