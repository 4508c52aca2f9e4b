// Attention of one head in AMX's tiles, with bfloat16 operands.
// Included by avx512_amx.cc alone. Internal linkage: see kernels_template.h.
#pragma once

#include <cstdint>
#include <cstring>

#include "fused/kernels/accumulators.h"
#include "fused/kernels/amx_tiles.h"
#include "fused/kernels/attention.h"
#include "fused/kernels/kernels.h"

namespace torch_t5::kernels {
namespace {

/// Attention of one group of queries, at most `kGroupRows`.
template <class Simd>
struct TiledQueryGroup {
  static constexpr std::int64_t kWidth = kPanelWidth<Simd>;  // positions of a block
  static_assert(kWidth == 2 * kTileWords);                   // so the values of a block are 16 words deep

  const AttentionArgs& args;
  std::int64_t first;     // query of the group
  std::int64_t count;     // queries of the group
  std::int64_t keyCount;  // keys that any query of the group sees
  std::int64_t headWords;

  template <class Group>
  void run() const {
    for (std::int64_t block = 0; block < blocks(); ++block) computeScores<Group>(block);
    for (std::int64_t row = 0; row < count; ++row)
      softmaxWithBiasAndMask<Simd>(args, first + row, keyCount, args.scores + row * scoreStride(), scoreStride());
    compilerBarrier();
    for (std::int64_t column = 0; column < args.paddedHeadSize; column += kWidth) multiplyValues<Group>(column);
  }

 private:
  std::int64_t blocks() const { return (keyCount + kWidth - 1) / kWidth; }
  std::int64_t scoreStride() const { return blocks() * kWidth; }

  static const std::uint32_t* words(const float* floats) { return reinterpret_cast<const std::uint32_t*>(floats); }

  /// The queries times the keys of one block.
  template <class Group>
  void computeScores(std::int64_t block) const {
    const std::uint32_t* keys = words(args.blocks[block]);
    Group::clear();
    for (std::int64_t word = 0; word < headWords; word += kTileWords) {
      const std::uint32_t* upper = args.queries + first * args.queryStride + word;
      const GroupRows queries{upper, upper + kTileRows * args.queryStride, args.queryStride};
      Group::template add<Bf16TileDot>(queries, keys + word * kWidth, kWidth);
    }
    Group::store(args.scores + block * kWidth, scoreStride());
  }

  /// The probabilities times the values, for the result's columns from `column` on.
  template <class Group>
  void multiplyValues(std::int64_t column) const {
    Group::clear();
    for (std::int64_t block = 0; block < blocks(); ++block) {
      const std::uint32_t* upper = words(args.scores) + block * kTileWords;
      const GroupRows probabilities{upper, upper + kTileRows * scoreStride(), scoreStride()};
      const std::uint32_t* values = words(args.blocks[block]) + headWords * kWidth + column;
      const std::int64_t positions = keyCount - block * kWidth;
      if (positions >= kWidth) {
        Group::template add<Bf16TileDot>(probabilities, values, args.paddedHeadSize);
        continue;
      }
      // Memory after the last position may hold NaN, and NaN times a probability of 0 is NaN: use 0 in its place.
      alignas(64) std::uint32_t filled[kTileRows * kWidth] = {};
      for (std::int64_t row = 0; row < (positions + 1) / 2; ++row)
        memcpy(filled + row * kWidth, values + row * args.paddedHeadSize, kWidth * sizeof *filled);
      compilerBarrier();
      Group::template add<Bf16TileDot>(probabilities, filled, kWidth);
    }
    if (args.bf16Result == nullptr)
      return Group::store(args.result + first * args.resultStride + column, args.resultStride);
    alignas(64) float accumulators[kGroupRows * kWidth];
    Group::store(accumulators, kWidth);
    for (std::int64_t row = 0; row < count; ++row) {
      std::uint16_t* result = bf16Result(first + row, column);
      for (int v = 0; v < kVectorsPerPanel; ++v)
        Simd::storeBf16(result + v * Simd::kLanes, Simd::load(accumulators + row * kWidth + v * Simd::kLanes));
    }
  }

  std::uint16_t* bf16Result(std::int64_t query, std::int64_t column) const {
    if (!args.isBf16ResultTiled) return args.bf16Result + query * args.resultStride + column;
    const std::int64_t row = args.firstRow + query;
    return args.bf16Result + 2 * rowOffset(/*isTiled=*/true, row, args.resultStride / 2) + tiledColumnOffset(column);
  }
};

/// Heads that do not fill whole tiles are computed without tiles. That depends on the head size, never on the number of
/// queries.
template <class Simd>
void attendInTiles(const AttentionArgs& args) {
  if (args.dataType != DataType::kBfloat16 || args.headSize % kPanelWidth<Simd> != 0) return attend<Simd>(args);
  const std::int64_t headWords = wordsPerRow(DataType::kBfloat16, args.headSize);
  std::int64_t configuredRows = 0;
  for (std::int64_t first = 0; first < args.queryCount; first += kGroupRows) {
    const std::int64_t left = args.queryCount - first;
    const std::int64_t count = left < kGroupRows ? left : kGroupRows;
    if (count != configuredRows) configureTiles(configuredRows = count);
    const TiledQueryGroup<Simd> group{args, first, count, visibleKeys(args, first + count), headWords};
    withTileAccumulators(count, [&]<class Group>() { group.template run<Group>(); });
  }
  _tile_release();
}

}  // namespace
}  // namespace torch_t5::kernels
