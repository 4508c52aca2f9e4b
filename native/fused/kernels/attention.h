// Attention of one head.
// Included through kernels_template.h by one file for each instruction set: all that is here has internal linkage.
#pragma once

#include <cfloat>
#include <cmath>
#include <cstdint>

#include "fused/kernels/kernels.h"
#include "fused/kernels/row_kernels.h"
#include "fused/kernels/accumulators.h"

namespace torch_t5::kernels {
namespace {

template <class Simd>
void addTo(float* to, const float* from, std::int64_t count) {
  std::int64_t i = 0;
  for (; i + Simd::kLanes <= count; i += Simd::kLanes)
    Simd::store(to + i, Simd::add(Simd::load(to + i), Simd::load(from + i)));
  for (; i < count; ++i) to[i] += from[i];
}

/// Adds bias and mask to a query's scores of `keyCount` keys and makes them probabilities, in place; what isn't seen,
/// up to `room`, gets 0. bfloat16: they are narrowed.
template <class Simd>
void toProbabilities(const Attention& attention, std::int64_t query, std::int64_t keyCount, float* scores,
                     std::int64_t room) {
  using Float = typename Simd::Float;
  const std::int64_t position = attention.firstQuery + query;
  const std::int64_t seen = attention.isCausal ? (position + 1 < keyCount ? position + 1 : keyCount) : keyCount;
  if (attention.bias != nullptr) addTo<Simd>(scores, attention.bias - position, seen);
  if (attention.mask != nullptr) addTo<Simd>(scores, attention.mask, seen);
  for (std::int64_t key = seen; key < room; ++key) scores[key] = -INFINITY;
  Float greatest = Simd::broadcast(-FLT_MAX);
  for (std::int64_t key = 0; key < room; key += Simd::kLanes) greatest = Simd::max(greatest, Simd::load(scores + key));
  const Float shift = Simd::broadcast(Simd::reduceMax(greatest));
  Float sum = Simd::zero();
  for (std::int64_t key = 0; key < room; key += Simd::kLanes) {
    const Float p = exponential<Simd>(Simd::subtract(Simd::load(scores + key), shift));
    sum = Simd::add(sum, p);
    Simd::store(scores + key, p);
  }
  const Float inverse = Simd::broadcast(1.0F / Simd::reduceAdd(sum));
  for (std::int64_t key = 0; key < room; key += Simd::kLanes)
    Simd::store(scores + key, Simd::multiply(Simd::load(scores + key), inverse));
  // In place: a number is read before the narrower one is written.
  if (attention.format == Format::kBfloat16)
    convertToBfloat16<Simd>(scores, room, reinterpret_cast<std::uint32_t*>(scores));
}

template <class Simd, class Dot, int NumbersPerWord>
struct Attending {
  static constexpr std::int64_t kWidth = kPanelWidth<Simd>;

  const Attention& attention;
  std::int64_t first;        // of the group's queries
  std::int64_t keyCount;     // that any of the group's queries sees
  std::int64_t blocks;       // of those keys
  std::int64_t scoreStride;  // blocks * kWidth

  template <int Rows>
  void run() const {
    for (std::int64_t block = 0; block < blocks; ++block) score<Rows>(block);
    for (int row = 0; row < Rows; ++row)
      toProbabilities<Simd>(attention, first + row, keyCount, attention.scores + row * scoreStride, scoreStride);
    for (std::int64_t column = 0; column < attention.paddedHeadSize; column += kWidth) combine<Rows>(column);
  }

 private:
  static const std::uint32_t* words(const float* floats) { return reinterpret_cast<const std::uint32_t*>(floats); }

  std::int64_t headWords() const { return (attention.headSize + NumbersPerWord - 1) / NumbersPerWord; }

  template <int Rows>
  void score(std::int64_t block) const {
    Sums<Simd, Dot, Rows> sums;
    sums.clear();
    sums.add(attention.queries + first * attention.queryStride, attention.queryStride, words(attention.blocks[block]),
             kWidth, headWords());
    for (int row = 0; row < Rows; ++row) {
      for (int v = 0; v < kVectorsPerPanel; ++v)
        Simd::store(attention.scores + row * scoreStride + block * kWidth + v * Simd::kLanes, sums.values[row][v]);
    }
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
    if (attention.result != nullptr) store.result = attention.result + column;
    if (attention.narrowResult != nullptr) store.narrowResult = attention.narrowResult + column;
    store.resultStride = attention.resultStride;
    store.columns = attention.headSize - column < kWidth ? attention.headSize - column : kWidth;
    finishRows<Simd, Rows>(store, targetOf(store, first), sums.values);
  }
};

/// Keys that any of the queries before `end` sees.
std::int64_t keysSeen(const Attention& attention, std::int64_t end) {
  const std::int64_t position = attention.firstQuery + end;
  return attention.isCausal && position < attention.keyCount ? position : attention.keyCount;
}

template <class Simd, class Dot, int NumbersPerWord>
void attendAs(const Attention& attention) {
  inGroups<Simd>(attention.queryCount, [&](std::int64_t first, std::int64_t size, std::int64_t) {
    const std::int64_t keyCount = keysSeen(attention, first + size);
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

}  // namespace
}  // namespace torch_t5::kernels
