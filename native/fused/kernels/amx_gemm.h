// Rows times panels in tiles.
// Included by the one file that is compiled for them: all that is here has internal linkage.
#pragma once

#include <cstdint>

#include "fused/kernels/kernels.h"
#include "fused/kernels/gemm.h"
#include "fused/kernels/accumulators.h"
#include "fused/kernels/amx_tiles.h"

namespace torch_t5::kernels {
namespace {

// A panel's part of so many words stays in the first cache while so many groups of rows go through it.
constexpr std::int64_t kPartWords = 128;
constexpr std::int64_t kMostGroups = 12;

/// One group of a product's rows and a part of its words.
struct Part {
  std::int64_t group = 0;
  std::int64_t groups = 1;  // that share the fetching, each for some of the words
  std::int64_t firstWord = 0;
  std::int64_t endWord = 0;
  std::int64_t ahead = 0;  // how many words behind those of the panel that are used others are fetched; 0: none
};

/// sums [rows][panelWidth] = before (null: 0) + rows x panel. The tiles are shaped for the rows.
template <class Simd, class Tiles, class Group>
void sumPart(const Product& product, const Part& part, const float* before, float* sums) {
  constexpr std::int64_t kWidth = kPanelWidth<Simd>;
  static_assert(kWidth == 2 * kTileWords);
  if (before == nullptr) {
    Group::clear();
  } else {
    Group::load(before, kWidth);
  }
  const std::uint32_t* rows = product.rows + part.group * kGroupRows * product.words;
  const std::uint32_t* ahead = product.panels + part.ahead * kWidth;
  for (std::int64_t word = part.firstWord; word < part.endWord; word += kTileWords) {
    if (part.ahead > 0 && word / kTileWords % part.groups == part.group) {
      for (std::int64_t line = 0; line < kTileWords * kWidth; line += kTileWords)
        Simd::fetch(ahead + word * kWidth + line);
    }
    const std::uint32_t* upper = rows + word * kTileRows;
    Group::template add<Tiles>({upper, upper + kTileRows * product.words, kTileWords}, product.panels + word * kWidth,
                               kWidth);
  }
  Group::store(sums, kWidth);
}

template <class Simd, class Tiles, int Rows>
TORCH_T5_INLINE void finishSums(const Product& product, std::int64_t first, const Target& target, const float* sums) {
  typename Simd::Float values[Rows][kVectorsPerPanel];
  TORCH_T5_UNROLL
  for (int row = 0; row < Rows; ++row) {
    for (int v = 0; v < kVectorsPerPanel; ++v)
      values[row][v] = Simd::load(sums + row * kPanelWidth<Simd> + v * Simd::kLanes);
  }
  if constexpr (Tiles::kIsInteger) scaleSums<Simd, Rows>(product, first, values);
  finishRows<Simd, Rows>(product, target, values);
}

/// Finishes rows, at most a tile's, whose sums [count][panelWidth] lie in memory.
template <class Simd, class Tiles>
void finishTile(const Product& product, std::int64_t first, std::int64_t count, const float* sums) {
  constexpr int kAtOnce = 4;
  Target target = targetOf(product, first);
  if (product.isNarrowTiled) target.stride = kTileBfloat16s;
  const auto finish = [&]<int Rows>(std::int64_t row) {
    finishSums<Simd, Tiles, Rows>(product, first + row, target.from(row), sums + row * kPanelWidth<Simd>);
  };
  std::int64_t row = 0;
  for (; row + kAtOnce <= count; row += kAtOnce) finish.template operator()<kAtOnce>(row);
  for (; row < count; ++row) finish.template operator()<1>(row);
}

/// The part of a product that is one panel's, whose result may be in tiles.
template <class Simd>
Product tiledPanelOf(const Product& product, std::int64_t panel) {
  Product own = panelOf<Simd>(product, panel);
  if (product.isNarrowTiled)
    own.narrowResult = product.narrowResult + tiledColumn(panel * resultWidth<Simd>(product.finish));
  return own;
}

/// At most `kMostGroups` groups of rows times one panel.
template <class Simd, class Tiles>
void multiplyPanel(const Product& product, bool isFirst, bool isLast, std::int64_t& shaped) {
  constexpr std::int64_t kGroupSums = kGroupRows * kPanelWidth<Simd>;
  alignas(64) float sums[kMostGroups * kGroupSums];  // of all parts so far
  alignas(64) float finished[kGroupSums];            // of one group: these stay in the first cache
  const std::int64_t groups = (product.rowCount + kGroupRows - 1) / kGroupRows;
  const std::int64_t partWords = groups > 1 ? kPartWords : product.words;
  for (std::int64_t word = 0; word < product.words; word += partWords) {
    const bool isLastPart = product.words - word <= partWords;
    for (std::int64_t group = 0; group < groups; ++group) {
      const std::int64_t first = group * kGroupRows;
      const std::int64_t count = product.rowCount - first < kGroupRows ? product.rowCount - first : kGroupRows;
      const bool hasLower = count > kTileRows;
      if (count != shaped) shapeTiles(shaped = count);
      const bool isUnfetched = Pass{isFirst, isLast, group == 0, groups - 1 - group}.isUnfetched();
      const Part part{group, isUnfetched ? 1 : groups, word, isLastPart ? product.words : word + partWords,
                      isUnfetched ? kWordsAhead
                      : isLast    ? 0
                                  : product.words};
      float* own = sums + group * kGroupSums;
      const float* before = word == 0 ? nullptr : own;
      float* to = isLastPart ? finished : own;
      withTileSums(count, [&]<class Group>() { sumPart<Simd, Tiles, Group>(product, part, before, to); });
      if (!isLastPart) continue;
      finishTile<Simd, Tiles>(product, first, hasLower ? kTileRows : count, to);
      if (hasLower)
        finishTile<Simd, Tiles>(product, first + kTileRows, count - kTileRows, to + kTileRows * kPanelWidth<Simd>);
    }
  }
}

template <class Simd, class Tiles>
void multiplyTiles(const Product& product) {
  constexpr std::int64_t kMostRows = kMostGroups * kGroupRows;
  std::int64_t shaped = 0;
  const std::int64_t panels = panelsOf<Simd>(product);
  for (std::int64_t first = 0; first < product.rowCount; first += kMostRows) {
    Product rows = product;
    rows.rows += first * product.words;
    if (rows.rowScales != nullptr) rows.rowScales += first;
    if (rows.result != nullptr) rows.result += first * product.resultStride;
    if (rows.narrowResult != nullptr) rows.narrowResult += first * product.resultStride;
    rows.rowCount = product.rowCount - first < kMostRows ? product.rowCount - first : kMostRows;
    for (std::int64_t panel = 0; panel < panels; ++panel)
      multiplyPanel<Simd, Tiles>(tiledPanelOf<Simd>(rows, panel), panel == 0, panel + 1 == panels, shaped);
  }
  if (product.finish == Finish::kStream) Simd::finishStreams();
  _tile_release();
}

/// Rows that don't lie in tiles go without them: that depends on their format and length, never on their number.
template <class Simd>
void multiplyInTiles(Format format, const Product& product) {
  if (!product.areTiled) return multiply<Simd>(format, product);
  if (format == Format::kBfloat16) return multiplyTiles<Simd, Bfloat16Tiles>(product);
  multiplyTiles<Simd, Int8Tiles>(product);
}

}  // namespace
}  // namespace torch_t5::kernels
