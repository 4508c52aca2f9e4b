// The kernels, over a `Simd` that names the instructions. Included by one file for each instruction set, which is
// compiled with that set's flags: so nothing here may be an inline function that other files share, or theirs could be
// replaced by one with instructions that the processor lacks.
#pragma once

#include <cfloat>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "engine/fused/kernels/kernels.h"

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

/// e^x for x <= 88, 0 below -87.
template <class Simd>
typename Simd::Float exponential(typename Simd::Float x) {
  constexpr float kLowest = -87.0F;
  constexpr float kLog2E = 1.44269504F;
  constexpr float kLn2High = 0.693145752F;  // ln 2 in two parts: the first has few bits, so that n times it is exact
  constexpr float kLn2Low = 1.42860677e-6F;
  const auto bounded = Simd::max(x, Simd::broadcast(kLowest));
  const auto n = Simd::round(Simd::multiply(bounded, Simd::broadcast(kLog2E)));
  auto r = Simd::fma(n, Simd::broadcast(-kLn2High), bounded);
  r = Simd::fma(n, Simd::broadcast(-kLn2Low), r);
  // Taylor's polynomial: |r| <= ln 2 / 2, so that the first term left out is below 6e-9.
  auto p = Simd::broadcast(1.0F / 5040);
  p = Simd::fma(p, r, Simd::broadcast(1.0F / 720));
  p = Simd::fma(p, r, Simd::broadcast(1.0F / 120));
  p = Simd::fma(p, r, Simd::broadcast(1.0F / 24));
  p = Simd::fma(p, r, Simd::broadcast(1.0F / 6));
  p = Simd::fma(p, r, Simd::broadcast(0.5F));
  p = Simd::fma(p, r, Simd::broadcast(1.0F));
  p = Simd::fma(p, r, Simd::broadcast(1.0F));
  return Simd::zeroWhereLess(x, kLowest, Simd::timesPowerOf2(p, n));
}

template <class Simd>
typename Simd::Float sigmoid(typename Simd::Float x) {
  const auto one = Simd::broadcast(1.0F);
  const auto bounded = Simd::min(Simd::subtract(Simd::broadcast(0.0F), x), Simd::broadcast(87.0F));
  return Simd::divide(one, Simd::add(one, exponential<Simd>(bounded)));
}

/// x Phi(x), a number at a time: no checkpoint of the family's usual ones has it.
template <class Simd>
typename Simd::Float geluWithErf(typename Simd::Float x) {
  float numbers[Simd::kLanes];
  Simd::store(numbers, x);
  for (float& number : numbers) number = 0.5F * number * (1.0F + erff(number * 0.707106781F));
  return Simd::load(numbers);
}

/// 0.5 x (1 + tanh(u)) = x sigmoid(2 u).
template <class Simd>
typename Simd::Float geluNew(typename Simd::Float x) {
  constexpr float kTwiceRootOf2OverPi = 1.59576912F;
  constexpr float kCubic = 0.044715F;
  const auto cube = Simd::multiply(Simd::multiply(x, x), x);
  const auto u = Simd::multiply(Simd::fma(cube, Simd::broadcast(kCubic), x), Simd::broadcast(kTwiceRootOf2OverPi));
  return Simd::multiply(x, sigmoid<Simd>(u));
}

template <class Simd>
typename Simd::Float activate(Activation activation, typename Simd::Float x) {
  switch (activation) {
    case Activation::kRelu:
      return Simd::max(x, Simd::broadcast(0.0F));
    case Activation::kGeluNew:
      return geluNew<Simd>(x);
    case Activation::kGelu:
      return geluWithErf<Simd>(x);
    case Activation::kSilu:
      return Simd::multiply(x, sigmoid<Simd>(x));
  }
  return x;
}

constexpr int kVectorsPerPanel = 2;

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

  /// The same, fetching the next panel meanwhile.
  void addFetching(const std::uint32_t* rows, std::int64_t rowStride, const std::uint32_t* panel, std::int64_t words,
                   const std::uint32_t* next) {
    for (std::int64_t word = 0; word < words; ++word) {
      const std::int64_t at = word * kPanelWidth<Simd>;
      for (std::int64_t line = 0; line < kPanelWidth<Simd>; line += kWordsPerLine) Simd::fetch(next + at + line);
      typename Simd::Float columns[kVectorsPerPanel];
      for (int v = 0; v < kVectorsPerPanel; ++v) columns[v] = Simd::loadWords(panel + at + v * Simd::kLanes);
      addWord(rows + word, rowStride, columns);
    }
  }

 private:
  static constexpr std::int64_t kWordsPerLine = 16;  // of a cache

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

template <class Simd, int Rows>
TORCH_T5_INLINE void finishRows(const Product& product, std::int64_t first,
                                const typename Simd::Float (&sums)[Rows][kVectorsPerPanel]) {
  const bool isWhole = product.columns == kPanelWidth<Simd>;
  const bool isNarrow = product.narrowResult != nullptr;
  float* results = isNarrow ? nullptr : product.result + first * product.resultStride;
  // The usual ends keep the sums in registers.
  if (isWhole && !isNarrow && product.finish == Finish::kStore) {
    TORCH_T5_UNROLL
    for (int r = 0; r < Rows; ++r) {
      float* result = results + r * product.resultStride;
      for (int v = 0; v < kVectorsPerPanel; ++v) Simd::store(result + v * Simd::kLanes, sums[r][v]);
    }
    return;
  }
  if (isWhole && product.finish == Finish::kAdd) {
    TORCH_T5_UNROLL
    for (int r = 0; r < Rows; ++r) {
      for (int v = 0; v < kVectorsPerPanel; ++v) {
        float* result = results + r * product.resultStride + v * Simd::kLanes;
        Simd::store(result, Simd::add(Simd::load(result), sums[r][v]));
      }
    }
    return;
  }
  const bool isRelu = product.finish == Finish::kActivate && product.activation == Activation::kRelu;
  if (isWhole && isRelu && isNarrow) {
    TORCH_T5_UNROLL
    for (int r = 0; r < Rows; ++r) {
      std::uint16_t* result = product.narrowResult + (first + r) * product.resultStride;
      for (int v = 0; v < kVectorsPerPanel; ++v)
        Simd::storeBfloat16(result + v * Simd::kLanes, Simd::max(sums[r][v], Simd::zero()));
    }
    return;
  }
  if (isWhole && isRelu) {
    TORCH_T5_UNROLL
    for (int r = 0; r < Rows; ++r) {
      float* result = results + r * product.resultStride;
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
    const std::int64_t offset = (first + r) * product.resultStride;
    if (isNarrow) {
      finishRowNarrow<Simd>(product.finish, product.activation, stored[r], product.narrowResult + offset,
                            product.columns);
    } else {
      finishRow<Simd>(product.finish, product.activation, stored[r], product.result + offset, product.columns);
    }
  }
}

template <class Simd, class Dot, int Rows>
void multiplyRows(const Product& product, std::int64_t first, bool isLast) {
  Sums<Simd, Dot, Rows> sums;
  sums.clear();
  const std::uint32_t* rows = product.rows + first * product.rowStride;
  if (isLast && product.nextPanel != nullptr) {
    sums.addFetching(rows, product.rowStride, product.panel, product.words, product.nextPanel);
  } else {
    sums.add(rows, product.rowStride, product.panel, kPanelWidth<Simd>, product.words);
  }
  if constexpr (Dot::kIsInteger) scaleSums<Simd, Rows>(product, first, sums.values);
  finishRows<Simd, Rows>(product, first, sums.values);
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

/// Splits `count` rows into as few groups of at most `Simd::kMostRows` as possible, of nearly the same size.
template <class Simd, class Work>
void inGroups(std::int64_t count, Work&& work) {
  std::int64_t groups = (count + Simd::kMostRows - 1) / Simd::kMostRows;
  for (std::int64_t first = 0; groups > 0; --groups) {
    const std::int64_t size = (count - first) / groups;
    work(first, size, groups == 1);
    first += size;
  }
}

template <class Simd, class Dot>
void multiplyAs(const Product& product) {
  // Few rows go through a panel once, at the speed of memory, and the processor itself fetches ahead.
  const bool fetches = product.rowCount > Simd::kMostRows;
  inGroups<Simd>(product.rowCount, [&](std::int64_t first, std::int64_t size, bool isLast) {
    withConstant<Simd::kMostRows>(
        size, [&]<int Rows>() { multiplyRows<Simd, Dot, Rows>(product, first, fetches && isLast); });
  });
}

template <class Simd>
void multiply(Format format, const Product& product) {
  switch (format) {
    case Format::kFloat32:
      return multiplyAs<Simd, typename Simd::Float32Dot>(product);
    case Format::kBfloat16:
      return multiplyAs<Simd, typename Simd::Bfloat16Dot>(product);
    case Format::kInt8:
      return multiplyAs<Simd, typename Simd::Int8Dot>(product);
  }
}

template <class Simd>
void convertToBfloat16(const float* row, std::int64_t columns, std::uint32_t* words) {
  auto* to = reinterpret_cast<std::uint16_t*>(words);
  std::int64_t i = 0;
  for (; i + Simd::kLanes <= columns; i += Simd::kLanes) Simd::storeBfloat16(to + i, Simd::load(row + i));
  for (; i < columns; ++i) to[i] = toBfloat16(row[i]);
  if (columns % 2 != 0) to[columns] = 0;
}

template <class Simd, class Dot, int NumbersPerWord>
struct Attending {
  using Float = typename Simd::Float;
  static constexpr std::int64_t kWidth = kPanelWidth<Simd>;
  static constexpr bool kIsNarrow = NumbersPerWord > 1;

  const Attention& attention;
  std::int64_t first;        // of the group's queries
  std::int64_t keyCount;     // that any of the group's queries sees
  std::int64_t blocks;       // of those keys
  std::int64_t scoreStride;  // blocks * kWidth

  template <int Rows>
  void run() const {
    if constexpr (kIsNarrow) {
      for (int row = 0; row < Rows; ++row)
        convertToBfloat16<Simd>(attention.queries + (first + row) * attention.queryStride, attention.headSize,
                                attention.queryWords + row * headWords());
    }
    for (std::int64_t block = 0; block < blocks; ++block) score<Rows>(block);
    for (int row = 0; row < Rows; ++row) normalize(row);
    for (std::int64_t column = 0; column < attention.paddedHeadSize; column += kWidth) combine<Rows>(column);
  }

 private:
  static const std::uint32_t* words(const float* floats) { return reinterpret_cast<const std::uint32_t*>(floats); }

  std::int64_t headWords() const { return (attention.headSize + NumbersPerWord - 1) / NumbersPerWord; }

  template <int Rows>
  void score(std::int64_t block) const {
    Sums<Simd, Dot, Rows> sums;
    sums.clear();
    if constexpr (kIsNarrow) {
      sums.add(attention.queryWords, headWords(), words(attention.blocks[block]), kWidth, headWords());
    } else {
      sums.add(words(attention.queries + first * attention.queryStride), attention.queryStride,
               words(attention.blocks[block]), kWidth, headWords());
    }
    for (int row = 0; row < Rows; ++row) {
      for (int v = 0; v < kVectorsPerPanel; ++v)
        Simd::store(attention.scores + row * scoreStride + block * kWidth + v * Simd::kLanes, sums.values[row][v]);
    }
  }

  /// Adds bias and mask to a row's scores and makes them probabilities. What isn't seen gets 0.
  void normalize(std::int64_t row) const {
    float* scores = attention.scores + row * scoreStride;
    const std::int64_t position = attention.firstQuery + first + row;
    const std::int64_t seen = attention.isCausal ? (position + 1 < keyCount ? position + 1 : keyCount) : keyCount;
    if (attention.bias != nullptr) addTo(scores, attention.bias - position, seen);
    if (attention.mask != nullptr) addTo(scores, attention.mask, seen);
    for (std::int64_t key = seen; key < scoreStride; ++key) scores[key] = -INFINITY;
    Float greatest = Simd::broadcast(-FLT_MAX);
    for (std::int64_t key = 0; key < scoreStride; key += Simd::kLanes)
      greatest = Simd::max(greatest, Simd::load(scores + key));
    const Float shift = Simd::broadcast(Simd::reduceMax(greatest));
    Float sum = Simd::zero();
    for (std::int64_t key = 0; key < scoreStride; key += Simd::kLanes) {
      const Float p = exponential<Simd>(Simd::subtract(Simd::load(scores + key), shift));
      sum = Simd::add(sum, p);
      Simd::store(scores + key, p);
    }
    const Float inverse = Simd::broadcast(1.0F / Simd::reduceAdd(sum));
    for (std::int64_t key = 0; key < scoreStride; key += Simd::kLanes)
      Simd::store(scores + key, Simd::multiply(Simd::load(scores + key), inverse));
    // In place: a number is read before the narrower one is written.
    if constexpr (kIsNarrow) convertToBfloat16<Simd>(scores, scoreStride, reinterpret_cast<std::uint32_t*>(scores));
  }

  static void addTo(float* to, const float* from, std::int64_t count) {
    std::int64_t i = 0;
    for (; i + Simd::kLanes <= count; i += Simd::kLanes)
      Simd::store(to + i, Simd::add(Simd::load(to + i), Simd::load(from + i)));
    for (; i < count; ++i) to[i] += from[i];
  }

  template <int Rows>
  void combine(std::int64_t column) const {
    Sums<Simd, Dot, Rows> sums;
    sums.clear();
    for (std::int64_t block = 0; block < blocks; ++block) {
      const std::int64_t left = keyCount - block * kWidth;
      const std::int64_t count = left < kWidth ? left : kWidth;
      const float* values = attention.blocks[block] + headWords() * kWidth + column;
      sums.add(words(attention.scores + block * (kWidth / NumbersPerWord)), scoreStride, words(values),
               attention.paddedHeadSize, (count + NumbersPerWord - 1) / NumbersPerWord);
    }
    Product store;
    store.result = attention.result + column;
    store.resultStride = attention.resultStride;
    store.columns = attention.headSize - column < kWidth ? attention.headSize - column : kWidth;
    finishRows<Simd, Rows>(store, first, sums.values);
  }
};

template <class Simd, class Dot, int NumbersPerWord>
void attendAs(const Attention& attention) {
  inGroups<Simd>(attention.queryCount, [&](std::int64_t first, std::int64_t size, bool) {
    std::int64_t keyCount = attention.keyCount;
    const std::int64_t end = attention.firstQuery + first + size;
    if (attention.isCausal && end < keyCount) keyCount = end;
    const std::int64_t blocks = (keyCount + kPanelWidth<Simd> - 1) / kPanelWidth<Simd>;
    const Attending<Simd, Dot, NumbersPerWord> attending{attention, first, keyCount, blocks,
                                                         blocks * kPanelWidth<Simd>};
    withConstant<Simd::kMostRows>(size, [&]<int Rows>() { attending.template run<Rows>(); });
  });
}

template <class Simd>
void attend(const Attention& attention) {
  if (attention.format == Format::kBfloat16) return attendAs<Simd, typename Simd::Bfloat16Dot, 2>(attention);
  attendAs<Simd, typename Simd::Float32Dot, 1>(attention);
}

/// Bytes 128 + round(number / scale), from 1 to 255: unsigned, as the instructions want it.
template <class Simd>
float convertToInt8(const float* row, std::int64_t columns, std::uint32_t* words) {
  auto* to = reinterpret_cast<std::uint8_t*>(words);
  auto greatest = Simd::zero();
  std::int64_t i = 0;
  for (; i + Simd::kLanes <= columns; i += Simd::kLanes)
    greatest = Simd::max(greatest, Simd::absolute(Simd::load(row + i)));
  float most = Simd::reduceMax(greatest);
  for (; i < columns; ++i) most = fabsf(row[i]) > most ? fabsf(row[i]) : most;
  const float factor = most > 0 ? 127.0F / most : 0.0F;
  const auto factors = Simd::broadcast(factor);
  i = 0;
  for (; i + Simd::kLanes <= columns; i += Simd::kLanes)
    Simd::storeBytes(to + i, Simd::multiply(Simd::load(row + i), factors));
  for (; i < columns; ++i) to[i] = static_cast<std::uint8_t>(128 + static_cast<int>(nearbyintf(row[i] * factor)));
  for (; i % 4 != 0; ++i) to[i] = 128;
  return most / 127.0F;
}

template <class Simd>
void convertRow(Format format, const float* row, std::int64_t columns, std::uint32_t* words, float* scale) {
  switch (format) {
    case Format::kFloat32:
      if (static_cast<const void*>(row) != words) memcpy(words, row, static_cast<std::size_t>(columns) * sizeof(float));
      return;
    case Format::kBfloat16:
      return convertToBfloat16<Simd>(row, columns, words);
    case Format::kInt8:
      *scale = convertToInt8<Simd>(row, columns, words);
      return;
  }
}

template <class Simd>
void convert(Format format, const Rows& rows) {
  const std::int64_t words = wordsPerRow(format, rows.columns);
  for (std::int64_t row = 0; row < rows.rowCount; ++row)
    convertRow<Simd>(format, rows.rows + row * rows.rowStride, rows.columns, rows.words + row * words,
                     rows.scales + row);
}

template <class Simd>
void normalizeRow(const float* row, std::int64_t columns, const float* weight, float epsilon, float* result) {
  // Four sums at once hide how long an addition takes.
  constexpr int kSums = 4;
  typename Simd::Float sums[kSums];
  for (auto& sum : sums) sum = Simd::zero();
  std::int64_t i = 0;
  for (; i + kSums * Simd::kLanes <= columns; i += kSums * Simd::kLanes) {
    for (int s = 0; s < kSums; ++s) {
      const auto x = Simd::load(row + i + s * Simd::kLanes);
      sums[s] = Simd::fma(x, x, sums[s]);
    }
  }
  float sum = Simd::reduceAdd(Simd::add(Simd::add(sums[0], sums[1]), Simd::add(sums[2], sums[3])));
  for (; i < columns; ++i) sum += row[i] * row[i];
  const float inverse = 1.0F / sqrtf(sum / static_cast<float>(columns) + epsilon);
  const auto inverses = Simd::broadcast(inverse);
  i = 0;
  for (; i + Simd::kLanes <= columns; i += Simd::kLanes)
    Simd::store(result + i, Simd::multiply(Simd::load(weight + i), Simd::multiply(Simd::load(row + i), inverses)));
  for (; i < columns; ++i) result[i] = weight[i] * (row[i] * inverse);
}

template <class Simd>
void normalize(Format format, const Rows& rows, const float* weight, float epsilon, float* scratch) {
  const std::int64_t words = wordsPerRow(format, rows.columns);
  for (std::int64_t row = 0; row < rows.rowCount; ++row) {
    std::uint32_t* to = rows.words + row * words;
    float* normal = format == Format::kFloat32 ? reinterpret_cast<float*>(to) : scratch;
    normalizeRow<Simd>(rows.rows + row * rows.rowStride, rows.columns, weight, epsilon, normal);
    convertRow<Simd>(format, normal, rows.columns, to, rows.scales + row);
  }
}

template <class Simd>
constexpr Kernels makeKernels(const char* name) {
  return {name, kPanelWidth<Simd>, Simd::kMostRows, multiply<Simd>, attend<Simd>, convert<Simd>, normalize<Simd>};
}

}  // namespace
}  // namespace torch_t5::kernels
