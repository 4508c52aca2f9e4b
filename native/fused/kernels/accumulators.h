// The heart of all products: sums of some rows with one panel, and what becomes of them.
// Included through kernels_template.h by one file for each instruction set: all that is here has internal linkage.
#pragma once

#include <cstdint>
#include <cstring>

#include "fused/kernels/vector_math.h"
#include "fused/kernels/kernels.h"

// Clang unrolls loops of a constant count by itself.
#if defined(__GNUC__) && !defined(__clang__)
#define TORCH_T5_UNROLL _Pragma("GCC unroll 16")
#else
#define TORCH_T5_UNROLL
#endif

// Sums stay in registers only where what finishes them is part of the same function.
#ifdef _MSC_VER
#define TORCH_T5_INLINE __forceinline
#else
#define TORCH_T5_INLINE __attribute__((always_inline)) inline
#endif

namespace torch_t5::kernels {
namespace {

constexpr int kVectorsPerPanel = 2;
constexpr std::int64_t kWordsPerLine = 16;  // of a cache

/// Cache lines that one word of a panel takes.
template <class Simd>
constexpr int kLinesPerWord = Simd::kLanes * kVectorsPerPanel / kWordsPerLine;

template <class Simd>
constexpr std::int64_t kPanelWidth = Simd::kLanes * kVectorsPerPanel;

/// The sums of `Rows` rows with a panel.
template <class Simd, class Dot, int Rows>
struct Sums {
  typename Simd::Float values[Rows][kVectorsPerPanel];

  void clear() {
    for (auto& row : values) {
      for (auto& value : row) value = Simd::zero();
    }
  }

  /// Adds `words` words of each row with those of the panel. Panel words lie `panelStride` apart.
  void add(const std::uint32_t* rows, std::int64_t rowStride, const std::uint32_t* panel, std::int64_t panelStride,
           std::int64_t words) {
    for (std::int64_t word = 0; word < words; ++word) {
      typename Simd::Float columns[kVectorsPerPanel];
      for (int v = 0; v < kVectorsPerPanel; ++v)
        columns[v] = Simd::loadWords(panel + word * panelStride + v * Simd::kLanes);
      addWord(rows + word, rowStride, columns);
    }
  }

  /// The same of a panel, fetching `Lines` cache lines a word from `fetched` on.
  template <int Lines>
  void addFetching(const std::uint32_t* rows, std::int64_t rowStride, const std::uint32_t* panel, std::int64_t words,
                   const std::uint32_t* fetched) {
    for (std::int64_t word = 0; word < words; ++word) {
      const std::int64_t at = word * kPanelWidth<Simd>;
      for (int line = 0; line < Lines; ++line) Simd::fetch(fetched + at + line * kWordsPerLine);
      typename Simd::Float columns[kVectorsPerPanel];
      for (int v = 0; v < kVectorsPerPanel; ++v) columns[v] = Simd::loadWords(panel + at + v * Simd::kLanes);
      addWord(rows + word, rowStride, columns);
    }
  }

 private:
  void addWord(const std::uint32_t* row, std::int64_t rowStride, const typename Simd::Float* columns) {
    TORCH_T5_UNROLL
    for (int r = 0; r < Rows; ++r) {
      const auto word = Simd::broadcastWord(row[r * rowStride]);
      for (int v = 0; v < kVectorsPerPanel; ++v) values[r][v] = Dot::dot(values[r][v], word, columns[v]);
    }
  }
};

/// Integer sums as floats.
template <class Simd, int Rows>
TORCH_T5_INLINE void scaleSums(const Product& product, std::int64_t first,
                               typename Simd::Float (&sums)[Rows][kVectorsPerPanel]) {
  typename Simd::Float columnScales[kVectorsPerPanel];
  for (int v = 0; v < kVectorsPerPanel; ++v) columnScales[v] = Simd::load(product.panelScales + v * Simd::kLanes);
  TORCH_T5_UNROLL
  for (int r = 0; r < Rows; ++r) {
    const auto rowScale = Simd::broadcast(product.rowScales[first + r]);
    for (int v = 0; v < kVectorsPerPanel; ++v) {
      const auto number = Simd::toFloat(sums[r][v], product.panelOffsets + v * Simd::kLanes);
      sums[r][v] = Simd::multiply(number, Simd::multiply(rowScale, columnScales[v]));
    }
  }
}

/// Finishes one row whose sums lie in memory, whatever is to be done: `count` numbers of them are wanted.
template <class Simd>
void finishRow(Finish finish, Activation activation, const float* sums, float* result, std::int64_t count) {
  float finished[kPanelWidth<Simd>] = {};
  for (int v = 0; v < kVectorsPerPanel; ++v) {
    auto sum = Simd::load(sums + v * Simd::kLanes);
    const bool isGate = finish == Finish::kGate && v < kVectorsPerPanel / 2;
    if (finish == Finish::kActivate || isGate) sum = activate<Simd>(activation, sum);
    if (isGate) sum = Simd::multiply(sum, Simd::load(sums + (v + kVectorsPerPanel / 2) * Simd::kLanes));
    Simd::store(finished + v * Simd::kLanes, sum);
  }
  for (std::int64_t i = 0; i < count; ++i) result[i] = finish == Finish::kAdd ? result[i] + finished[i] : finished[i];
}

/// The nearest bfloat16, ties to even. NaN stays NaN.
std::uint16_t toBfloat16(float number) {
  std::uint32_t bits = 0;
  memcpy(&bits, &number, sizeof bits);
  if (number != number) return static_cast<std::uint16_t>((bits >> 16) | 0x40U);
  return static_cast<std::uint16_t>((bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16);
}

/// The same as `finishRow`, narrowed.
template <class Simd>
void finishRowNarrow(Finish finish, Activation activation, const float* sums, std::uint16_t* result,
                     std::int64_t count) {
  float finished[kPanelWidth<Simd>];
  finishRow<Simd>(finish, activation, sums, finished, kPanelWidth<Simd>);
  for (std::int64_t i = 0; i < count; ++i) result[i] = toBfloat16(finished[i]);
}

/// Where finished rows go: floats or, instead, bfloat16.
struct Target {
  float* result;
  std::uint16_t* narrowResult;
  std::int64_t stride;  // in numbers

  /// Where the rows from `row` on go.
  TORCH_T5_INLINE Target from(std::int64_t row) const {
    const std::int64_t offset = row * stride;
    if (narrowResult != nullptr) return {nullptr, narrowResult + offset, stride};
    return {result + offset, nullptr, stride};
  }
};

/// Where a product's rows from `first` on go.
TORCH_T5_INLINE Target targetOf(const Product& product, std::int64_t first) {
  return Target{product.result, product.narrowResult, product.resultStride}.from(first);
}

/// Whether whole vectors can be streamed there.
template <class Simd>
TORCH_T5_INLINE bool isAligned(const Target& target) {
  constexpr std::uintptr_t kBytes = sizeof(typename Simd::Float);
  const auto bits = reinterpret_cast<std::uintptr_t>(target.result) | static_cast<std::uintptr_t>(target.stride) * 4;
  return bits % kBytes == 0;
}

template <class Simd, int Rows>
TORCH_T5_INLINE void finishRows(const Product& product, const Target& target,
                                const typename Simd::Float (&sums)[Rows][kVectorsPerPanel]) {
  const bool isWhole = product.columns == kPanelWidth<Simd>;
  const bool isNarrow = target.narrowResult != nullptr;
  // The usual ends keep the sums in registers.
  if (isWhole && !isNarrow && product.finish == Finish::kStream && isAligned<Simd>(target)) {
    TORCH_T5_UNROLL
    for (int r = 0; r < Rows; ++r) {
      float* result = target.result + r * target.stride;
      for (int v = 0; v < kVectorsPerPanel; ++v) Simd::stream(result + v * Simd::kLanes, sums[r][v]);
    }
    return;
  }
  if (isWhole && !isNarrow && (product.finish == Finish::kStore || product.finish == Finish::kStream)) {
    TORCH_T5_UNROLL
    for (int r = 0; r < Rows; ++r) {
      float* result = target.result + r * target.stride;
      for (int v = 0; v < kVectorsPerPanel; ++v) Simd::store(result + v * Simd::kLanes, sums[r][v]);
    }
    return;
  }
  if (isWhole && product.finish == Finish::kAdd) {
    TORCH_T5_UNROLL
    for (int r = 0; r < Rows; ++r) {
      for (int v = 0; v < kVectorsPerPanel; ++v) {
        float* result = target.result + r * target.stride + v * Simd::kLanes;
        Simd::store(result, Simd::add(Simd::load(result), sums[r][v]));
      }
    }
    return;
  }
  const bool isRelu = product.finish == Finish::kActivate && product.activation == Activation::kRelu;
  if (isWhole && isRelu && isNarrow) {
    TORCH_T5_UNROLL
    for (int r = 0; r < Rows; ++r) {
      std::uint16_t* result = target.narrowResult + r * target.stride;
      for (int v = 0; v < kVectorsPerPanel; ++v)
        Simd::storeBfloat16(result + v * Simd::kLanes, Simd::max(sums[r][v], Simd::zero()));
    }
    return;
  }
  if (isWhole && isRelu) {
    TORCH_T5_UNROLL
    for (int r = 0; r < Rows; ++r) {
      float* result = target.result + r * target.stride;
      for (int v = 0; v < kVectorsPerPanel; ++v)
        Simd::store(result + v * Simd::kLanes, Simd::max(sums[r][v], Simd::zero()));
    }
    return;
  }
  float stored[Rows][kPanelWidth<Simd>];
  TORCH_T5_UNROLL
  for (int r = 0; r < Rows; ++r) {
    for (int v = 0; v < kVectorsPerPanel; ++v) Simd::store(stored[r] + v * Simd::kLanes, sums[r][v]);
  }
  for (int r = 0; r < Rows; ++r) {
    const std::int64_t offset = r * target.stride;
    if (isNarrow) {
      finishRowNarrow<Simd>(product.finish, product.activation, stored[r], target.narrowResult + offset,
                            product.columns);
    } else {
      finishRow<Simd>(product.finish, product.activation, stored[r], target.result + offset, product.columns);
    }
  }
}

/// Calls `call` with `count`, at most `Most`, as a constant.
template <int Most, class Call>
void withConstant(std::int64_t count, Call&& call) {
  if constexpr (Most > 0) {
    if (count == Most) {
      call.template operator()<Most>();
    } else {
      withConstant<Most - 1>(count, call);
    }
  }
}

/// Splits `count` rows into as few groups of at most `Simd::kMostRows` as possible, of nearly the same size, and calls
/// `work(first, size, following)` with the number of groups that follow.
template <class Simd, class Work>
void inGroups(std::int64_t count, Work&& work) {
  std::int64_t groups = (count + Simd::kMostRows - 1) / Simd::kMostRows;
  for (std::int64_t first = 0; groups > 0; --groups) {
    const std::int64_t size = (count - first) / groups;
    work(first, size, groups - 1);
    first += size;
  }
}

}  // namespace
}  // namespace torch_t5::kernels
