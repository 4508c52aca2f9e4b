// NEON, the SIMD instructions that every arm64 processor has, and its extensions: dot products, BF16 and I8MM.
// Internal linkage: see kernels_template.h.
#pragma once

#include <arm_neon.h>

#include <cstdint>

#include "fused/kernels/accumulators.h"
#include "fused/kernels/kernels.h"

namespace torch_t5::kernels {
namespace {

#define TORCH_T5_NEON

/// A vector is two registers. A panel has 16 columns: one cache line for each word, in four registers.
struct Neon {
  struct Float {  // or the bits of words of another type
    float32x4_t low;
    float32x4_t high;
  };
  static constexpr int kLanes = 8;
  static constexpr int kMaxRows = 6;  // 24 accumulators, 6 registers of row words and 2 of the panel: all 32 registers

  /// Applies a function to each register of vectors.
  template <class Function, class... Vectors>
  static Float each(Function&& function, const Vectors&... vectors) {
    return {function(vectors.low...), function(vectors.high...)};
  }

  static Float zero() { return broadcast(0.0F); }
  static Float load(const float* from) { return {vld1q_f32(from), vld1q_f32(from + 4)}; }
  static void store(float* to, Float x) {
    vst1q_f32(to, x.low);
    vst1q_f32(to + 4, x.high);
  }
  static void stream(float* to, Float x) { store(to, x); }
  static void streamFence() {}
  static Float broadcast(float x) { return {vdupq_n_f32(x), vdupq_n_f32(x)}; }
  static Float add(Float a, Float b) { return {vaddq_f32(a.low, b.low), vaddq_f32(a.high, b.high)}; }
  static Float subtract(Float a, Float b) { return {vsubq_f32(a.low, b.low), vsubq_f32(a.high, b.high)}; }
  static Float multiply(Float a, Float b) { return {vmulq_f32(a.low, b.low), vmulq_f32(a.high, b.high)}; }
  static Float divide(Float a, Float b) { return {vdivq_f32(a.low, b.low), vdivq_f32(a.high, b.high)}; }
  static Float fma(Float a, Float b, Float c) {
    return {vfmaq_f32(c.low, a.low, b.low), vfmaq_f32(c.high, a.high, b.high)};
  }
  /// a > b ? a : b, as the other kernels: FMAX would differ for NaN.
  static Float max(Float a, Float b) {
    return each([](float32x4_t x, float32x4_t y) { return vbslq_f32(vcgtq_f32(x, y), x, y); }, a, b);
  }
  static Float min(Float a, Float b) {
    return each([](float32x4_t x, float32x4_t y) { return vbslq_f32(vcltq_f32(x, y), x, y); }, a, b);
  }
  static Float absolute(Float x) { return {vabsq_f32(x.low), vabsq_f32(x.high)}; }
  static Float round(Float x) { return {vrndnq_f32(x.low), vrndnq_f32(x.high)}; }
  /// `n`: integers from -126 to 127.
  static Float scaleByPowerOf2(Float x, Float n) {
    const auto scale = [](float32x4_t number, float32x4_t power) {
      const int32x4_t exponent = vaddq_s32(vcvtnq_s32_f32(power), vdupq_n_s32(127));
      return vmulq_f32(number, vreinterpretq_f32_s32(vshlq_n_s32(exponent, 23)));
    };
    return each(scale, x, n);
  }
  static Float zeroWhereLess(Float x, float bound, Float result) {
    const auto select = [bound](float32x4_t number, float32x4_t other) {
      return vreinterpretq_f32_u32(vbicq_u32(vreinterpretq_u32_f32(other), vcltq_f32(number, vdupq_n_f32(bound))));
    };
    return each(select, x, result);
  }
  /// In the order of the AVX2 kernels, whose bits these are.
  static float reduceAdd(Float x) {
    const float32x4_t sums = vaddq_f32(x.low, x.high);
    const float32x2_t halves = vadd_f32(vget_low_f32(sums), vget_high_f32(sums));
    return vget_lane_f32(halves, 0) + vget_lane_f32(halves, 1);
  }
  static float reduceMax(Float x) { return vmaxvq_f32(vmaxq_f32(x.low, x.high)); }

  static float32x4_t loadFourWords(const std::uint32_t* from) { return vreinterpretq_f32_u32(vld1q_u32(from)); }
  static Float loadWords(const std::uint32_t* from) { return {loadFourWords(from), loadFourWords(from + 4)}; }
  static Float broadcastWord(std::uint32_t word) {
    const float32x4_t words = vreinterpretq_f32_u32(vdupq_n_u32(word));
    return {words, words};
  }
  static void prefetch(const void* from) { __builtin_prefetch(from, 0, 2); }

  static constexpr bool kHasTranspose = true;
  /// Transposes a block of 8 rows by 8 words, in quarters of 4 by 4.
  static void transpose(const std::uint32_t* rows, std::int64_t stride, std::uint32_t* to, std::int64_t toStride) {
    for (int row = 0; row < kLanes; row += 4) {
      for (int word = 0; word < kLanes; word += 4)
        transposeQuarter(rows + row * stride + word, stride, to + word * toStride + row, toStride);
    }
  }

  /// The left operand's bytes are multiplied without their zero point, so there is nothing to compensate.
  static Float toFloat(Float accumulator, const std::int32_t*) {
    return {vcvtq_f32_s32(vreinterpretq_s32_f32(accumulator.low)),
            vcvtq_f32_s32(vreinterpretq_s32_f32(accumulator.high))};
  }
  static void storeBytes(std::uint8_t* to, Float x) {
    const auto shift = [](float32x4_t number) {
      return vqmovn_s32(vaddq_s32(vcvtnq_s32_f32(number), vdupq_n_s32(kInt8ZeroPoint)));
    };
    vst1_u8(to, vqmovun_s16(vcombine_s16(shift(x.low), shift(x.high))));
  }
  /// Ties to even; NaN stays NaN.
  static void storeBf16(std::uint16_t* to, Float x) {
    const auto convert = [](float32x4_t number) {
      const uint32x4_t bits = vreinterpretq_u32_f32(number);
      const uint32x4_t odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
      const uint32x4_t rounded = vaddq_u32(bits, vaddq_u32(odd, vdupq_n_u32(0x7FFF)));
      const uint32x4_t quiet = vorrq_u32(bits, vdupq_n_u32(0x400000));
      return vshrn_n_u32(vbslq_u32(vceqq_f32(number, number), rounded, quiet), 16);
    };
    vst1q_u16(to, vcombine_u16(convert(x.low), convert(x.high)));
  }

  /// `Dot::addGroups` of the accumulators. A row's words are loaded into one register, and `Lanes::dot` multiplies one
  /// of them with a register of the panel.
  template <class Lanes, int Lines, int Rows>
  TORCH_T5_INLINE static std::int64_t addByLanes(Float (&values)[Rows][kVectorsPerPanel], const WordRange& range) {
    Float sums[Rows][kVectorsPerPanel];  // in registers
    copyValues(values, sums);
    std::int64_t word = 0;
    for (; word + Lanes::kWords <= range.words; word += Lanes::kWords) {
      typename Lanes::RowWords rowWords[Rows];
      TORCH_T5_UNROLL
      for (int r = 0; r < Rows; ++r) rowWords[r] = Lanes::loadRow(range.rows + r * range.rowStride + word);
      addWordsFrom<Lanes, Lines, 0>(sums, rowWords, range, word);
    }
    copyValues(sums, values);
    return word;
  }

  /// What a `Dot` that adds groups by lanes has besides `dot`.
  template <class Lanes, bool IsInteger>
  struct DotByLanes {
    static constexpr bool kIsInteger = IsInteger;
    template <int Lines, int Rows>
    TORCH_T5_INLINE static std::int64_t addGroups(Float (&values)[Rows][kVectorsPerPanel], const WordRange& range) {
      return addByLanes<Lanes, Lines>(values, range);
    }
  };

  /// accumulator + columns * row[Lane]
  template <int Lane>
  static float32x4_t fmaByLane(float32x4_t accumulator, float32x4_t columns, float32x4_t row) {
#if defined(__GNUC__) && !defined(__clang__)
    // With the intrinsic GCC keeps some accumulators in memory.
    asm("fmla %0.4s, %1.4s, %2.s[%3]" : "+w"(accumulator) : "w"(columns), "w"(row), "i"(Lane));
    return accumulator;
#else
    return vfmaq_laneq_f32(accumulator, columns, row, Lane);
#endif
  }

  struct Float32Lanes {
    static constexpr int kWords = 4;
    using RowWords = float32x4_t;
    static RowWords loadRow(const std::uint32_t* words) { return loadFourWords(words); }
    static float32x4_t loadColumns(const std::uint32_t* words) { return loadFourWords(words); }
    template <int Word>
    static float32x4_t dot(float32x4_t accumulator, RowWords row, float32x4_t columns) {
      return fmaByLane<Word>(accumulator, columns, row);
    }
  };

  struct Float32Dot : DotByLanes<Float32Lanes, false> {
    static Float dot(Float accumulator, Float word, Float columns) { return fma(word, columns, accumulator); }
  };

  /// A bfloat16 is the upper half of a float.
  static float32x4_t firstHalf(float32x4_t words) {
    return vreinterpretq_f32_u32(vshlq_n_u32(vreinterpretq_u32_f32(words), 16));
  }
  static float32x4_t secondHalf(float32x4_t words) {
    return vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(words), vdupq_n_u32(0xFFFF0000U)));
  }

  struct Bf16Lanes {
    static constexpr int kWords = 2;
    using RowWords = float32x4_t;  // the four elements
    struct Columns {
      float32x4_t first;
      float32x4_t second;
    };
    static RowWords loadRow(const std::uint32_t* words) {
      return vreinterpretq_f32_u32(vshll_n_u16(vreinterpret_u16_u32(vld1_u32(words)), 16));
    }
    static Columns loadColumns(const std::uint32_t* words) {
      const float32x4_t columns = loadFourWords(words);
      return {firstHalf(columns), secondHalf(columns)};
    }
    template <int Word>
    static float32x4_t dot(float32x4_t accumulator, RowWords row, const Columns& columns) {
      return fmaByLane<2 * Word + 1>(fmaByLane<2 * Word>(accumulator, columns.first, row), columns.second, row);
    }
  };

  struct Bf16Dot : DotByLanes<Bf16Lanes, false> {
    static Float dot(Float accumulator, Float word, Float columns) {
      const auto multiply = [](float32x4_t sum, float32x4_t a, float32x4_t b) {
        return vfmaq_f32(vfmaq_f32(sum, firstHalf(a), firstHalf(b)), secondHalf(a), secondHalf(b));
      };
      return each(multiply, accumulator, word, columns);
    }
  };

  /// The rows' bytes, minus the zero point.
  static int8x16_t signedBytes(float32x4_t words) {
    return vreinterpretq_s8_u8(veorq_u8(vreinterpretq_u8_f32(words), vdupq_n_u8(kInt8ZeroPoint)));
  }

  /// The sum of two products of int8, from -127 to 127, is less than 2^15.
  static float32x4_t dotBytes(float32x4_t accumulator, int8x16_t word, float32x4_t columns) {
    const int8x16_t bytes = vreinterpretq_s8_f32(columns);
    const int16x8_t low = vmull_s8(vget_low_s8(word), vget_low_s8(bytes));
    const int16x8_t high = vmull_high_s8(word, bytes);
    return vreinterpretq_f32_s32(vpadalq_s16(vreinterpretq_s32_f32(accumulator), vpaddq_s16(low, high)));
  }

  struct Int8Lanes {
    static constexpr int kWords = 4;
    using RowWords = int8x16_t;
    static RowWords loadRow(const std::uint32_t* words) { return signedBytes(loadFourWords(words)); }
    static float32x4_t loadColumns(const std::uint32_t* words) { return loadFourWords(words); }
    template <int Word>
    static float32x4_t dot(float32x4_t accumulator, RowWords row, float32x4_t columns) {
      const int8x16_t word = vreinterpretq_s8_s32(vdupq_laneq_s32(vreinterpretq_s32_s8(row), Word));
      return dotBytes(accumulator, word, columns);
    }
  };

  struct Int8Dot : DotByLanes<Int8Lanes, true> {
    static Float dot(Float accumulator, Float word, Float columns) {
      const int8x16_t bytes = signedBytes(word.low);
      return {dotBytes(accumulator.low, bytes, columns.low), dotBytes(accumulator.high, bytes, columns.high)};
    }
  };

 protected:
  static constexpr std::int64_t kColumns = kLanes * kVectorsPerPanel;  // of a panel

 private:
  template <int Rows>
  TORCH_T5_INLINE static void copyValues(const Float (&from)[Rows][kVectorsPerPanel],
                                         Float (&to)[Rows][kVectorsPerPanel]) {
    TORCH_T5_UNROLL
    for (int r = 0; r < Rows; ++r) {
      for (int v = 0; v < kVectorsPerPanel; ++v) to[r][v] = from[r][v];
    }
  }

  /// Adds the products of the words from `Word` on of a group, whose first word is `first`.
  template <class Lanes, int Lines, int Word, int Rows>
  TORCH_T5_INLINE static void addWordsFrom(Float (&values)[Rows][kVectorsPerPanel],
                                           const typename Lanes::RowWords (&rowWords)[Rows], const WordRange& range,
                                           std::int64_t first) {
    if constexpr (Word < Lanes::kWords) {
      const std::uint32_t* panel = range.panel + (first + Word) * range.panelStride;
      if constexpr (Lines > 0) prefetch(range.prefetched + (first + Word) * kColumns);
      for (int v = 0; v < kVectorsPerPanel; ++v) {
        const auto low = Lanes::loadColumns(panel + v * kLanes);
        TORCH_T5_UNROLL
        for (int r = 0; r < Rows; ++r) values[r][v].low = Lanes::template dot<Word>(values[r][v].low, rowWords[r], low);
        const auto high = Lanes::loadColumns(panel + v * kLanes + 4);
        TORCH_T5_UNROLL
        for (int r = 0; r < Rows; ++r)
          values[r][v].high = Lanes::template dot<Word>(values[r][v].high, rowWords[r], high);
      }
      addWordsFrom<Lanes, Lines, Word + 1>(values, rowWords, range, first);
    }
  }

  static void transposeQuarter(const std::uint32_t* rows, std::int64_t stride, std::uint32_t* to,
                               std::int64_t toStride) {
    const uint32x4_t a = vld1q_u32(rows);
    const uint32x4_t b = vld1q_u32(rows + stride);
    const uint32x4_t c = vld1q_u32(rows + 2 * stride);
    const uint32x4_t d = vld1q_u32(rows + 3 * stride);
    const uint32x4_t ac = vzip1q_u32(a, c);
    const uint32x4_t bd = vzip1q_u32(b, d);
    const uint32x4_t acHigh = vzip2q_u32(a, c);
    const uint32x4_t bdHigh = vzip2q_u32(b, d);
    vst1q_u32(to, vzip1q_u32(ac, bd));
    vst1q_u32(to + toStride, vzip2q_u32(ac, bd));
    vst1q_u32(to + 2 * toStride, vzip1q_u32(acHigh, bdHigh));
    vst1q_u32(to + 3 * toStride, vzip2q_u32(acHigh, bdHigh));
  }
};

#ifdef __ARM_FEATURE_DOTPROD
#define TORCH_T5_NEON_DOT_PRODUCT

/// With SDOT: the dot product of four int8.
struct NeonDotProduct : Neon {
  struct Int8Lanes : Neon::Int8Lanes {
    template <int Word>
    static float32x4_t dot(float32x4_t accumulator, RowWords row, float32x4_t columns) {
      return vreinterpretq_f32_s32(
          vdotq_laneq_s32(vreinterpretq_s32_f32(accumulator), vreinterpretq_s8_f32(columns), row, Word));
    }
  };

  struct Int8Dot : DotByLanes<Int8Lanes, true> {
    static Float dot(Float accumulator, Float word, Float columns) {
      const auto multiply = [](float32x4_t sum, float32x4_t a, float32x4_t b) {
        return vreinterpretq_f32_s32(vdotq_s32(vreinterpretq_s32_f32(sum), signedBytes(a), vreinterpretq_s8_f32(b)));
      };
      return each(multiply, accumulator, word, columns);
    }
  };
};

#endif

#if defined(__ARM_FEATURE_BF16_VECTOR_ARITHMETIC) && defined(__ARM_FEATURE_MATMUL_INT8)
#define TORCH_T5_NEON_MATRIX

/// With BF16 and I8MM. Their matrix instructions multiply two words of two rows with two words of two columns.
struct NeonMatrix : Neon {
  /// With the zero point: USMMLA and USDOT multiply unsigned with signed bytes.
  static Float toFloat(Float accumulator, const std::int32_t* compensation) {
    return {vcvtq_f32_s32(vsubq_s32(vreinterpretq_s32_f32(accumulator.low), vld1q_s32(compensation))),
            vcvtq_f32_s32(vsubq_s32(vreinterpretq_s32_f32(accumulator.high), vld1q_s32(compensation + 4)))};
  }
  static void storeBf16(std::uint16_t* to, Float x) {
    const bfloat16x8_t numbers = vcvtq_high_bf16_f32(vcvtq_low_bf16_f32(x.low), x.high);
    vst1q_u16(to, vreinterpretq_u16_bf16(numbers));
  }

  /// `Dot::addGroups`, two words at once. The accumulators of two rows and two columns share a register meanwhile. A
  /// last row without a second is its own second, so every row is the result of the same instructions. `IsPaired`: the
  /// panel holds pairs of words, as the instructions read them; otherwise they are interleaved in registers.
  template <class Matrix, bool IsPaired, int Lines, int Rows>
  TORCH_T5_INLINE static std::int64_t addByPairs(Float (&values)[Rows][kVectorsPerPanel], const WordRange& range) {
    constexpr int kPairs = (Rows + 1) / 2;
    constexpr int kQuarters = 2 * kVectorsPerPanel;
    const auto secondOf = [](int pair) { return 2 * pair + 1 < Rows ? 2 * pair + 1 : 2 * pair; };
    typename Matrix::Sums sums[kPairs][2 * kQuarters];
    TORCH_T5_UNROLL
    for (int pair = 0; pair < kPairs; ++pair) {
      TORCH_T5_UNROLL
      for (int q = 0; q < kQuarters; ++q) {
        const float32x4_t first = quarterOf(values[2 * pair], q);
        const float32x4_t second = quarterOf(values[secondOf(pair)], q);
        sums[pair][2 * q] = Matrix::toSums(zipLow(first, second));
        sums[pair][2 * q + 1] = Matrix::toSums(zipHigh(first, second));
      }
    }
    std::int64_t word = 0;
    for (; word + 2 <= range.words; word += 2) {
      float32x4_t rowWords[kPairs];
      TORCH_T5_UNROLL
      for (int pair = 0; pair < kPairs; ++pair) {
        const std::uint32_t* row = range.rows + 2 * pair * range.rowStride + word;
        const std::uint32_t* next = range.rows + secondOf(pair) * range.rowStride + word;
        rowWords[pair] = vreinterpretq_f32_u32(vcombine_u32(vld1_u32(row), vld1_u32(next)));
      }
      const std::uint32_t* panel = range.panel + word * range.panelStride;
      if constexpr (Lines > 0) {
        prefetch(range.prefetched + word * kColumns);
        prefetch(range.prefetched + (word + 1) * kColumns);
      }
      TORCH_T5_UNROLL
      for (int q = 0; q < kQuarters; ++q) {
        const float32x4_t first = loadFourWords(panel + (IsPaired ? 8 * q : 4 * q));
        const float32x4_t second = loadFourWords(panel + (IsPaired ? 8 * q + 4 : range.panelStride + 4 * q));
        const float32x4_t low = IsPaired ? first : vzip1q_f32(first, second);
        TORCH_T5_UNROLL
        for (int pair = 0; pair < kPairs; ++pair)
          sums[pair][2 * q] = Matrix::multiply(sums[pair][2 * q], rowWords[pair], low);
        const float32x4_t high = IsPaired ? second : vzip2q_f32(first, second);
        TORCH_T5_UNROLL
        for (int pair = 0; pair < kPairs; ++pair)
          sums[pair][2 * q + 1] = Matrix::multiply(sums[pair][2 * q + 1], rowWords[pair], high);
      }
    }
    TORCH_T5_UNROLL
    for (int pair = 0; pair < kPairs; ++pair) {
      TORCH_T5_UNROLL
      for (int q = 0; q < kQuarters; ++q) {
        const float32x4_t low = Matrix::toFloats(sums[pair][2 * q]);
        const float32x4_t high = Matrix::toFloats(sums[pair][2 * q + 1]);
        quarterOf(values[secondOf(pair)], q) = zipHigh(low, high);
        quarterOf(values[2 * pair], q) = zipLow(low, high);
      }
    }
    return word;
  }

  /// What a `Dot` that adds groups by pairs has besides `dot`.
  template <class Matrix, bool IsInteger, bool IsPaired>
  struct DotByPairs {
    static constexpr bool kIsInteger = IsInteger;
    template <int Lines, int Rows>
    TORCH_T5_INLINE static std::int64_t addGroups(Float (&values)[Rows][kVectorsPerPanel], const WordRange& range) {
      return addByPairs<Matrix, IsPaired, Lines>(values, range);
    }
  };

  struct Bf16Matrix {
    using Sums = float32x4_t;
    static Sums toSums(float32x4_t bits) { return bits; }
    static float32x4_t toFloats(Sums sums) { return sums; }
    static Sums multiply(float32x4_t accumulator, float32x4_t rows, float32x4_t columns) {
      return vbfmmlaq_f32(accumulator, vreinterpretq_bf16_f32(rows), vreinterpretq_bf16_f32(columns));
    }
  };

  template <bool IsPaired>
  struct Bf16DotByPairs : DotByPairs<Bf16Matrix, false, IsPaired> {
    static Float dot(Float accumulator, Float word, Float columns) {
      const auto multiply = [](float32x4_t sum, float32x4_t a, float32x4_t b) {
        return vbfdotq_f32(sum, vreinterpretq_bf16_f32(a), vreinterpretq_bf16_f32(b));
      };
      return each(multiply, accumulator, word, columns);
    }
  };

  using Bf16Dot = Bf16DotByPairs<true>;
  using UnpairedBf16Dot = Bf16DotByPairs<false>;

  struct Int8Matrix {
    using Sums = int32x4_t;
    static Sums toSums(float32x4_t bits) { return vreinterpretq_s32_f32(bits); }
    static float32x4_t toFloats(Sums sums) { return vreinterpretq_f32_s32(sums); }
    static Sums multiply(Sums accumulator, float32x4_t rows, float32x4_t columns) {
      return vusmmlaq_s32(accumulator, vreinterpretq_u8_f32(rows), vreinterpretq_s8_f32(columns));
    }
  };

  struct Int8Dot : DotByPairs<Int8Matrix, true, true> {
    static Float dot(Float accumulator, Float word, Float columns) {
      const auto multiply = [](float32x4_t sum, float32x4_t a, float32x4_t b) {
        return vreinterpretq_f32_s32(
            vusdotq_s32(vreinterpretq_s32_f32(sum), vreinterpretq_u8_f32(a), vreinterpretq_s8_f32(b)));
      };
      return each(multiply, accumulator, word, columns);
    }
  };

 private:
  /// Four of a row's accumulators.
  static float32x4_t& quarterOf(Float (&row)[kVectorsPerPanel], int quarter) {
    return quarter % 2 == 0 ? row[quarter / 2].low : row[quarter / 2].high;
  }
  static float32x4_t zipLow(float32x4_t a, float32x4_t b) {
    return vreinterpretq_f32_f64(vzip1q_f64(vreinterpretq_f64_f32(a), vreinterpretq_f64_f32(b)));
  }
  static float32x4_t zipHigh(float32x4_t a, float32x4_t b) {
    return vreinterpretq_f32_f64(vzip2q_f64(vreinterpretq_f64_f32(a), vreinterpretq_f64_f32(b)));
  }
};

#endif

}  // namespace
}  // namespace torch_t5::kernels
