// Attention of one head in tiles, of bfloat16 numbers.
// Included by the one file that is compiled for them: all that is here has internal linkage.
#pragma once

#include <cstdint>
#include <cstring>

#include "fused/kernels/attention.h"
#include "fused/kernels/kernels.h"
#include "fused/kernels/accumulators.h"
#include "fused/kernels/amx_tiles.h"

namespace torch_t5::kernels {
namespace {

/// Up to 32 queries.
template <class Simd>
struct TiledAttending {
  static constexpr std::int64_t kWidth = kPanelWidth<Simd>;  // of a block of keys
  static_assert(kWidth == 2 * kTileWords);                   // and so a block's values are 16 words deep

  const Attention& attention;
  std::int64_t first;     // of the queries
  std::int64_t count;     // of the queries
  std::int64_t keyCount;  // that any of them sees
  std::int64_t headWords;

  template <class Group>
  void run() const {
    for (std::int64_t block = 0; block < blocks(); ++block) score<Group>(block);
    for (std::int64_t row = 0; row < count; ++row)
      toProbabilities<Simd>(attention, first + row, keyCount, attention.scores + row * stride(), stride());
    finishWrites();
    for (std::int64_t column = 0; column < attention.paddedHeadSize; column += kWidth) combine<Group>(column);
  }

 private:
  std::int64_t blocks() const { return (keyCount + kWidth - 1) / kWidth; }
  std::int64_t stride() const { return blocks() * kWidth; }  // of the scores

  static const std::uint32_t* words(const float* floats) { return reinterpret_cast<const std::uint32_t*>(floats); }

  template <class Group>
  void score(std::int64_t block) const {
    const std::uint32_t* keys = words(attention.blocks[block]);
    Group::clear();
    for (std::int64_t word = 0; word < headWords; word += kTileWords) {
      const std::uint32_t* upper = attention.queries + first * attention.queryStride + word;
      const TiledRows queries{upper, upper + kTileRows * attention.queryStride, attention.queryStride};
      Group::template add<Bfloat16Tiles>(queries, keys + word * kWidth, kWidth);
    }
    Group::store(attention.scores + block * kWidth, stride());
  }

  /// The results' columns from `column` on.
  template <class Group>
  void combine(std::int64_t column) const {
    Group::clear();
    for (std::int64_t block = 0; block < blocks(); ++block) {
      const std::uint32_t* upper = words(attention.scores) + block * kTileWords;
      const TiledRows probabilities{upper, upper + kTileRows * stride(), stride()};
      const std::uint32_t* values = words(attention.blocks[block]) + headWords * kWidth + column;
      const std::int64_t positions = keyCount - block * kWidth;
      if (positions >= kWidth) {
        Group::template add<Bfloat16Tiles>(probabilities, values, attention.paddedHeadSize);
        continue;
      }
      // What lies behind the last position may be no number, and isn't multiplied even with 0.
      alignas(64) std::uint32_t filled[kTileRows * kWidth] = {};
      for (std::int64_t row = 0; row < (positions + 1) / 2; ++row)
        memcpy(filled + row * kWidth, values + row * attention.paddedHeadSize, kWidth * sizeof *filled);
      finishWrites();
      Group::template add<Bfloat16Tiles>(probabilities, filled, kWidth);
    }
    if (attention.narrowResult == nullptr)
      return Group::store(attention.result + first * attention.resultStride + column, attention.resultStride);
    alignas(64) float sums[kGroupRows * kWidth];
    Group::store(sums, kWidth);
    for (std::int64_t row = 0; row < count; ++row) {
      std::uint16_t* result = narrowResult(first + row, column);
      for (int v = 0; v < kVectorsPerPanel; ++v)
        Simd::storeBfloat16(result + v * Simd::kLanes, Simd::load(sums + row * kWidth + v * Simd::kLanes));
    }
  }

  std::uint16_t* narrowResult(std::int64_t query, std::int64_t column) const {
    if (!attention.isNarrowTiled) return attention.narrowResult + query * attention.resultStride + column;
    const std::int64_t row = attention.firstRow + query;
    return attention.narrowResult + 2 * rowOffset(/*areTiled=*/true, row, attention.resultStride / 2) +
           tiledColumn(column);
  }
};

/// Heads whose numbers don't fill tiles go without them: that depends on their size, never on the number of queries.
template <class Simd>
void attendInTiles(const Attention& attention) {
  if (attention.format != Format::kBfloat16 || attention.headSize % kPanelWidth<Simd> != 0)
    return attend<Simd>(attention);
  const std::int64_t headWords = wordsPerRow(Format::kBfloat16, attention.headSize);
  std::int64_t shaped = 0;
  for (std::int64_t first = 0; first < attention.queryCount; first += kGroupRows) {
    const std::int64_t left = attention.queryCount - first;
    const std::int64_t count = left < kGroupRows ? left : kGroupRows;
    if (count != shaped) shapeTiles(shaped = count);
    const TiledAttending<Simd> attending{attention, first, count, keysSeen(attention, first + count), headWords};
    withTileSums(count, [&]<class Group>() { attending.template run<Group>(); });
  }
  _tile_release();
}

}  // namespace
}  // namespace torch_t5::kernels
