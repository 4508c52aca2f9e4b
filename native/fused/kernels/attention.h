// Attention of one head.
// Internal linkage: see kernels_template.h.
#pragma once

#include <cstdint>
#include <limits>

#include "fused/kernels/accumulators.h"
#include "fused/kernels/kernels.h"
#include "fused/kernels/row_kernels.h"

namespace torch_t5::kernels {
namespace {

template <class Simd>
void addTo(float* to, const float* from, std::int64_t count) {
  std::int64_t i = 0;
  for (; i + Simd::kLanes <= count; i += Simd::kLanes)
    Simd::store(to + i, Simd::add(Simd::load(to + i), Simd::load(from + i)));
  for (; i < count; ++i) to[i] += from[i];
}

/// Turns a query's scores of `keyCount` keys into probabilities, in place, after adding bias and mask. `room`: the
/// floats of a row of scores; those without a visible key become 0. With bfloat16 the probabilities become bfloat16.
template <class Simd>
void softmaxWithBiasAndMask(const AttentionArgs& args, std::int64_t query, std::int64_t keyCount, float* scores,
                            std::int64_t room) {
  using Float = typename Simd::Float;
  const std::int64_t position = args.firstQuery + query;
  const std::int64_t visible = args.isCausal ? (position + 1 < keyCount ? position + 1 : keyCount) : keyCount;
  if (args.bias != nullptr) addTo<Simd>(scores, args.bias - position, visible);
  if (args.mask != nullptr) addTo<Simd>(scores, args.mask, visible);
  for (std::int64_t key = visible; key < room; ++key) scores[key] = -std::numeric_limits<float>::infinity();
  Float maximum = Simd::broadcast(std::numeric_limits<float>::lowest());
  for (std::int64_t key = 0; key < room; key += Simd::kLanes) maximum = Simd::max(maximum, Simd::load(scores + key));
  const Float shift = Simd::broadcast(Simd::reduceMax(maximum));
  Float sum = Simd::zero();
  for (std::int64_t key = 0; key < room; key += Simd::kLanes) {
    const Float p = exponential<Simd>(Simd::subtract(Simd::load(scores + key), shift));
    sum = Simd::add(sum, p);
    Simd::store(scores + key, p);
  }
  const Float inverse = Simd::broadcast(1.0F / Simd::reduceAdd(sum));
  for (std::int64_t key = 0; key < room; key += Simd::kLanes)
    Simd::store(scores + key, Simd::multiply(Simd::load(scores + key), inverse));
  // Safe in place: each float is read before the narrower bfloat16 is written.
  if (args.dataType == DataType::kBfloat16) convertToBf16<Simd>(scores, room, reinterpret_cast<std::uint32_t*>(scores));
}

/// Attention of one group of queries, at most `Simd::kMaxRows`.
template <class Simd, class Dot, int ElementsPerWord>
struct QueryGroup {
  static constexpr std::int64_t kWidth = kPanelWidth<Simd>;

  const AttentionArgs& args;
  std::int64_t first;        // query of the group
  std::int64_t keyCount;     // keys that any query of the group sees
  std::int64_t blocks;       // of those keys
  std::int64_t scoreStride;  // blocks * kWidth

  template <int Rows>
  void run() const {
    for (std::int64_t block = 0; block < blocks; ++block) computeScores<Rows>(block);
    for (int row = 0; row < Rows; ++row)
      softmaxWithBiasAndMask<Simd>(args, first + row, keyCount, args.scores + row * scoreStride, scoreStride);
    for (std::int64_t column = 0; column < args.paddedHeadSize; column += kWidth) multiplyValues<Rows>(column);
  }

 private:
  static const std::uint32_t* words(const float* floats) { return reinterpret_cast<const std::uint32_t*>(floats); }

  std::int64_t headWords() const { return (args.headSize + ElementsPerWord - 1) / ElementsPerWord; }

  /// The queries times the keys of one block.
  template <int Rows>
  void computeScores(std::int64_t block) const {
    Accumulators<Simd, Dot, Rows> accumulators;
    accumulators.clear();
    accumulators.add(args.queries + first * args.queryStride, args.queryStride, words(args.blocks[block]), kWidth,
                     headWords());
    for (int row = 0; row < Rows; ++row) {
      for (int v = 0; v < kVectorsPerPanel; ++v)
        Simd::store(args.scores + row * scoreStride + block * kWidth + v * Simd::kLanes, accumulators.values[row][v]);
    }
  }

  /// The probabilities times the values, for the result's columns from `column` on.
  template <int Rows>
  void multiplyValues(std::int64_t column) const {
    Accumulators<Simd, Dot, Rows> accumulators;
    accumulators.clear();
    for (std::int64_t block = 0; block < blocks; ++block) {
      const std::int64_t left = keyCount - block * kWidth;
      const std::int64_t count = left < kWidth ? left : kWidth;
      const float* values = args.blocks[block] + headWords() * kWidth + column;
      accumulators.add(words(args.scores + block * (kWidth / ElementsPerWord)), scoreStride, words(values),
                       args.paddedHeadSize, (count + ElementsPerWord - 1) / ElementsPerWord);
    }
    GemmArgs store;
    if (args.result != nullptr) store.result = args.result + column;
    if (args.bf16Result != nullptr) store.bf16Result = args.bf16Result + column;
    store.resultStride = args.resultStride;
    store.columns = args.headSize - column < kWidth ? args.headSize - column : kWidth;
    applyEpilogue<Simd, Rows>(store, outputRows(store, first), accumulators.values);
  }
};

/// The number of keys that any query before `end` sees.
std::int64_t visibleKeys(const AttentionArgs& args, std::int64_t end) {
  const std::int64_t position = args.firstQuery + end;
  return args.isCausal && position < args.keyCount ? position : args.keyCount;
}

template <class Simd, class Dot, int ElementsPerWord>
void attendWith(const AttentionArgs& args) {
  forEachRowGroup<Simd>(args.queryCount, [&](std::int64_t first, std::int64_t size, std::int64_t) {
    const std::int64_t keyCount = visibleKeys(args, first + size);
    const std::int64_t blocks = (keyCount + kPanelWidth<Simd> - 1) / kPanelWidth<Simd>;
    const QueryGroup<Simd, Dot, ElementsPerWord> group{args, first, keyCount, blocks, blocks * kPanelWidth<Simd>};
    withConstant<Simd::kMaxRows>(size, [&]<int Rows>() { group.template run<Rows>(); });
  });
}

/// The `Dot` of bfloat16 keys and values, which are not stored in pairs of words.
template <class Simd>
struct Bf16Attention {
  using Dot = typename Simd::Bf16Dot;
};
template <class Simd>
  requires(kPairsWords<Simd>)
struct Bf16Attention<Simd> {
  using Dot = typename Simd::UnpairedBf16Dot;
};

template <class Simd>
void attend(const AttentionArgs& args) {
  if (args.dataType == DataType::kBfloat16) return attendWith<Simd, typename Bf16Attention<Simd>::Dot, 2>(args);
  attendWith<Simd, typename Simd::Float32Dot, 1>(args);
}

}  // namespace
}  // namespace torch_t5::kernels
