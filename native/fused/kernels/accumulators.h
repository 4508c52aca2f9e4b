// The micro-kernel of GEMM and attention: the accumulators of some rows with one panel, and the epilogue.
// Internal linkage: see kernels_template.h.
#pragma once

#include <cstdint>
#include <cstring>

#include "fused/kernels/kernels.h"
#include "fused/kernels/vector_math.h"

// Clang unrolls loops with a constant trip count by itself.
#if defined(__GNUC__) && !defined(__clang__)
#define TORCH_T5_UNROLL _Pragma("GCC unroll 16")
#else
#define TORCH_T5_UNROLL
#endif

// Inlined so that the accumulators stay in registers through the epilogue.
#ifdef _MSC_VER
#define TORCH_T5_INLINE __forceinline
#else
#define TORCH_T5_INLINE __attribute__((always_inline)) inline
#endif

namespace torch_t5::kernels {
namespace {

constexpr int kVectorsPerPanel = 2;
constexpr std::int64_t kWordsPerLine = 16;  // of a cache line

/// Cache lines of one word of a panel's columns.
template <class Simd>
constexpr int kLinesPerWord = Simd::kLanes * kVectorsPerPanel / kWordsPerLine;

template <class Simd>
constexpr std::int64_t kPanelWidth = Simd::kLanes * kVectorsPerPanel;

/// Whether panels of bfloat16 and int8 hold pairs of words: see `PanelLayout`.
template <class Simd>
constexpr bool kPairsWords = requires { typename Simd::UnpairedBf16Dot; };

/// Words of rows and of a panel that are multiplied. A word of the panel is `panelStride` words after the one before.
struct WordRange {
  const std::uint32_t* rows;
  std::int64_t rowStride;
  const std::uint32_t* panel;
  std::int64_t panelStride;
  std::int64_t words;
  const std::uint32_t* prefetched;  // where prefetching starts, if any
};

/// The accumulators of `Rows` rows with one panel. `Dot` multiplies words of one data type. `Dot::addGroups` may
/// multiply several words at once, as far as there are enough, and returns their number; it prefetches as
/// `addWithPrefetch` does.
template <class Simd, class Dot, int Rows>
struct Accumulators {
  typename Simd::Float values[Rows][kVectorsPerPanel];

  void clear() {
    for (auto& row : values) {
      for (auto& value : row) value = Simd::zero();
    }
  }

  /// Multiplies `words` words of each row with those of the panel. `panelStride`: from one word of the panel to the
  /// next.
  void add(const std::uint32_t* rows, std::int64_t rowStride, const std::uint32_t* panel, std::int64_t panelStride,
           std::int64_t words) {
    std::int64_t word = addGroups<0>({rows, rowStride, panel, panelStride, words, nullptr});
    for (; word < words; ++word) {
      typename Simd::Float columns[kVectorsPerPanel];
      for (int v = 0; v < kVectorsPerPanel; ++v)
        columns[v] = Simd::loadWords(panel + word * panelStride + v * Simd::kLanes);
      addWord(rows + word, rowStride, columns);
    }
  }

  /// The same for a contiguous panel. Each word also prefetches `Lines` cache lines, from `prefetched` on.
  template <int Lines>
  void addWithPrefetch(const std::uint32_t* rows, std::int64_t rowStride, const std::uint32_t* panel,
                       std::int64_t words, const std::uint32_t* prefetched) {
    std::int64_t word = addGroups<Lines>({rows, rowStride, panel, kPanelWidth<Simd>, words, prefetched});
    for (; word < words; ++word) {
      const std::int64_t at = word * kPanelWidth<Simd>;
      for (int line = 0; line < Lines; ++line) Simd::prefetch(prefetched + at + line * kWordsPerLine);
      typename Simd::Float columns[kVectorsPerPanel];
      for (int v = 0; v < kVectorsPerPanel; ++v) columns[v] = Simd::loadWords(panel + at + v * Simd::kLanes);
      addWord(rows + word, rowStride, columns);
    }
  }

 private:
  /// Words that have been added; none by a `Dot` without groups.
  template <int Lines>
  TORCH_T5_INLINE std::int64_t addGroups(const WordRange& range) {
    if constexpr (requires { Dot::template addGroups<Lines>(values, range); })
      return Dot::template addGroups<Lines>(values, range);
    return 0;
  }

  void addWord(const std::uint32_t* row, std::int64_t rowStride, const typename Simd::Float* columns) {
    TORCH_T5_UNROLL
    for (int r = 0; r < Rows; ++r) {
      const auto word = Simd::broadcastWord(row[r * rowStride]);
      for (int v = 0; v < kVectorsPerPanel; ++v) values[r][v] = Dot::dot(values[r][v], word, columns[v]);
    }
  }
};

/// Converts int32 accumulators of int8 operands to float32, in place. `first`: the first row.
template <class Simd, int Rows>
TORCH_T5_INLINE void dequantize(const GemmArgs& args, std::int64_t first,
                                typename Simd::Float (&accumulators)[Rows][kVectorsPerPanel]) {
  typename Simd::Float columnScales[kVectorsPerPanel];
  for (int v = 0; v < kVectorsPerPanel; ++v) columnScales[v] = Simd::load(args.panelScales + v * Simd::kLanes);
  TORCH_T5_UNROLL
  for (int r = 0; r < Rows; ++r) {
    const auto rowScale = Simd::broadcast(args.rowScales[first + r]);
    for (int v = 0; v < kVectorsPerPanel; ++v) {
      const auto number = Simd::toFloat(accumulators[r][v], args.panelCompensation + v * Simd::kLanes);
      accumulators[r][v] = Simd::multiply(number, Simd::multiply(rowScale, columnScales[v]));
    }
  }
}

/// Applies any epilogue to one row of accumulators in memory, and writes its first `count` columns.
template <class Simd>
void applyEpilogueToRow(Epilogue epilogue, Activation activation, const float* accumulators, float* result,
                        std::int64_t count) {
  float finished[kPanelWidth<Simd>] = {};
  for (int v = 0; v < kVectorsPerPanel; ++v) {
    auto value = Simd::load(accumulators + v * Simd::kLanes);
    const bool isGate = epilogue == Epilogue::kGate && v < kVectorsPerPanel / 2;
    if (epilogue == Epilogue::kActivate || isGate) value = activate<Simd>(activation, value);
    if (isGate) value = Simd::multiply(value, Simd::load(accumulators + (v + kVectorsPerPanel / 2) * Simd::kLanes));
    Simd::store(finished + v * Simd::kLanes, value);
  }
  for (std::int64_t i = 0; i < count; ++i)
    result[i] = epilogue == Epilogue::kAdd ? result[i] + finished[i] : finished[i];
}

/// The nearest bfloat16, ties to even. NaN stays NaN.
std::uint16_t toBf16(float number) {
  std::uint32_t bits = 0;
  memcpy(&bits, &number, sizeof bits);
  if (number != number) return static_cast<std::uint16_t>((bits >> 16) | 0x40U);
  return static_cast<std::uint16_t>((bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16);
}

/// `applyEpilogueToRow` with a bfloat16 result.
template <class Simd>
void applyEpilogueToBf16Row(Epilogue epilogue, Activation activation, const float* accumulators, std::uint16_t* result,
                            std::int64_t count) {
  float finished[kPanelWidth<Simd>];
  applyEpilogueToRow<Simd>(epilogue, activation, accumulators, finished, kPanelWidth<Simd>);
  for (std::int64_t i = 0; i < count; ++i) result[i] = toBf16(finished[i]);
}

/// Rows of a result, in float32 or in bfloat16: the other pointer is null.
struct OutputRows {
  float* result;
  std::uint16_t* bf16Result;
  std::int64_t stride;  // in elements

  /// The rows from `row` on.
  TORCH_T5_INLINE OutputRows from(std::int64_t row) const {
    const std::int64_t offset = row * stride;
    if (bf16Result != nullptr) return {nullptr, bf16Result + offset, stride};
    return {result + offset, nullptr, stride};
  }
};

/// The result's rows from `first` on.
TORCH_T5_INLINE OutputRows outputRows(const GemmArgs& args, std::int64_t first) {
  return OutputRows{args.result, args.bf16Result, args.resultStride}.from(first);
}

/// Whether whole vectors of the rows are aligned, as streaming stores need.
template <class Simd>
TORCH_T5_INLINE bool isAligned(const OutputRows& output) {
  constexpr std::uintptr_t kBytes = sizeof(typename Simd::Float);
  const auto bits = reinterpret_cast<std::uintptr_t>(output.result) | static_cast<std::uintptr_t>(output.stride) * 4;
  return bits % kBytes == 0;
}

template <class Simd, int Rows>
TORCH_T5_INLINE void applyEpilogue(const GemmArgs& args, const OutputRows& output,
                                   const typename Simd::Float (&accumulators)[Rows][kVectorsPerPanel]) {
  const bool isWhole = args.columns == kPanelWidth<Simd>;
  const bool isBf16 = output.bf16Result != nullptr;
  // The common epilogues keep the accumulators in registers.
  if (isWhole && !isBf16 && args.epilogue == Epilogue::kStream && isAligned<Simd>(output)) {
    TORCH_T5_UNROLL
    for (int r = 0; r < Rows; ++r) {
      float* result = output.result + r * output.stride;
      for (int v = 0; v < kVectorsPerPanel; ++v) Simd::stream(result + v * Simd::kLanes, accumulators[r][v]);
    }
    return;
  }
  if (isWhole && !isBf16 && (args.epilogue == Epilogue::kStore || args.epilogue == Epilogue::kStream)) {
    TORCH_T5_UNROLL
    for (int r = 0; r < Rows; ++r) {
      float* result = output.result + r * output.stride;
      for (int v = 0; v < kVectorsPerPanel; ++v) Simd::store(result + v * Simd::kLanes, accumulators[r][v]);
    }
    return;
  }
  if (isWhole && args.epilogue == Epilogue::kAdd) {
    TORCH_T5_UNROLL
    for (int r = 0; r < Rows; ++r) {
      for (int v = 0; v < kVectorsPerPanel; ++v) {
        float* result = output.result + r * output.stride + v * Simd::kLanes;
        Simd::store(result, Simd::add(Simd::load(result), accumulators[r][v]));
      }
    }
    return;
  }
  if (isWhole && isBf16 && args.epilogue == Epilogue::kStore) {
    TORCH_T5_UNROLL
    for (int r = 0; r < Rows; ++r) {
      std::uint16_t* result = output.bf16Result + r * output.stride;
      for (int v = 0; v < kVectorsPerPanel; ++v) Simd::storeBf16(result + v * Simd::kLanes, accumulators[r][v]);
    }
    return;
  }
  const bool isRelu = args.epilogue == Epilogue::kActivate && args.activation == Activation::kRelu;
  if (isWhole && isRelu && isBf16) {
    TORCH_T5_UNROLL
    for (int r = 0; r < Rows; ++r) {
      std::uint16_t* result = output.bf16Result + r * output.stride;
      for (int v = 0; v < kVectorsPerPanel; ++v)
        Simd::storeBf16(result + v * Simd::kLanes, Simd::max(accumulators[r][v], Simd::zero()));
    }
    return;
  }
  if (isWhole && isRelu) {
    TORCH_T5_UNROLL
    for (int r = 0; r < Rows; ++r) {
      float* result = output.result + r * output.stride;
      for (int v = 0; v < kVectorsPerPanel; ++v)
        Simd::store(result + v * Simd::kLanes, Simd::max(accumulators[r][v], Simd::zero()));
    }
    return;
  }
  float stored[Rows][kPanelWidth<Simd>];
  TORCH_T5_UNROLL
  for (int r = 0; r < Rows; ++r) {
    for (int v = 0; v < kVectorsPerPanel; ++v) Simd::store(stored[r] + v * Simd::kLanes, accumulators[r][v]);
  }
  for (int r = 0; r < Rows; ++r) {
    const std::int64_t offset = r * output.stride;
    if (isBf16) {
      applyEpilogueToBf16Row<Simd>(args.epilogue, args.activation, stored[r], output.bf16Result + offset, args.columns);
    } else {
      applyEpilogueToRow<Simd>(args.epilogue, args.activation, stored[r], output.result + offset, args.columns);
    }
  }
}

/// Calls `call<count>()`: turns a number of at most `Max` into a template argument.
template <int Max, class Call>
void withConstant(std::int64_t count, Call&& call) {
  if constexpr (Max > 0) {
    if (count == Max) {
      call.template operator()<Max>();
    } else {
      withConstant<Max - 1>(count, call);
    }
  }
}

/// Splits `count` rows into the minimum number of groups of at most `Simd::kMaxRows` rows, of nearly the same size.
/// Calls `work(first, size, remaining)` for each; `remaining`: the number of groups after it.
template <class Simd, class Work>
void forEachRowGroup(std::int64_t count, Work&& work) {
  std::int64_t groups = (count + Simd::kMaxRows - 1) / Simd::kMaxRows;
  for (std::int64_t first = 0; groups > 0; --groups) {
    const std::int64_t size = (count - first) / groups;
    work(first, size, groups - 1);
    first += size;
  }
}

}  // namespace
}  // namespace torch_t5::kernels
