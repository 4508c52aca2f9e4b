// GEMM in AMX's tiles.
// Included by avx512_amx.cc alone. Internal linkage: see kernels_template.h.
#pragma once

#include <cstdint>

#include "fused/kernels/accumulators.h"
#include "fused/kernels/amx_tiles.h"
#include "fused/kernels/gemm.h"
#include "fused/kernels/kernels.h"

namespace torch_t5::kernels {
namespace {

// A slice of a panel of `kSliceWords` words (BLIS's KC) stays in the L1 cache while up to `kMaxGroups` groups of rows
// are multiplied with it.
constexpr std::int64_t kSliceWords = 128;
constexpr std::int64_t kMaxGroups = 12;

/// One group of rows and a slice of their words.
struct GroupSlice {
  std::int64_t group = 0;
  std::int64_t prefetchingGroups = 1;  // groups that share the prefetching, each for some of the words
  std::int64_t firstWord = 0;
  std::int64_t endWord = 0;
  std::int64_t prefetchDistance = 0;  // in words; 0: no prefetch
};

/// accumulators [rows][panelWidth] = initial (null: 0) + rows x panel, for the words of a slice. The tiles must be
/// configured for the rows.
template <class Simd, class TileDot, class Group>
void accumulateSlice(const GemmArgs& args, const GroupSlice& slice, const float* initial, float* accumulators) {
  constexpr std::int64_t kWidth = kPanelWidth<Simd>;
  static_assert(kWidth == 2 * kTileWords);
  if (initial == nullptr) {
    Group::clear();
  } else {
    Group::load(initial, kWidth);
  }
  const std::uint32_t* rows = args.rows + slice.group * kGroupRows * args.words;
  const std::uint32_t* prefetched = args.panels + slice.prefetchDistance * kWidth;
  for (std::int64_t word = slice.firstWord; word < slice.endWord; word += kTileWords) {
    if (slice.prefetchDistance > 0 && word / kTileWords % slice.prefetchingGroups == slice.group) {
      for (std::int64_t line = 0; line < kTileWords * kWidth; line += kTileWords)
        Simd::prefetch(prefetched + word * kWidth + line);
    }
    const std::uint32_t* upper = rows + word * kTileRows;
    Group::template add<TileDot>({upper, upper + kTileRows * args.words, kTileWords}, args.panels + word * kWidth,
                                 kWidth);
  }
  Group::store(accumulators, kWidth);
}

/// Applies the epilogue to `Rows` rows of accumulators in memory.
template <class Simd, class TileDot, int Rows>
TORCH_T5_INLINE void applyEpilogueToRows(const GemmArgs& args, std::int64_t first, const OutputRows& output,
                                         const float* accumulators) {
  typename Simd::Float values[Rows][kVectorsPerPanel];
  TORCH_T5_UNROLL
  for (int row = 0; row < Rows; ++row) {
    for (int v = 0; v < kVectorsPerPanel; ++v)
      values[row][v] = Simd::load(accumulators + row * kPanelWidth<Simd> + v * Simd::kLanes);
  }
  if constexpr (TileDot::kIsInteger) dequantize<Simd, Rows>(args, first, values);
  applyEpilogue<Simd, Rows>(args, output, values);
}

/// Applies the epilogue to accumulators [count][panelWidth] of at most a tile's rows.
template <class Simd, class TileDot>
void applyEpilogueToTile(const GemmArgs& args, std::int64_t first, std::int64_t count, const float* accumulators) {
  constexpr int kRowsAtOnce = 4;
  OutputRows output = outputRows(args, first);
  if (args.isBf16ResultTiled) output.stride = kTileBf16Columns;
  const auto apply = [&]<int Rows>(std::int64_t row) {
    applyEpilogueToRows<Simd, TileDot, Rows>(args, first + row, output.from(row),
                                             accumulators + row * kPanelWidth<Simd>);
  };
  std::int64_t row = 0;
  for (; row + kRowsAtOnce <= count; row += kRowsAtOnce) apply.template operator()<kRowsAtOnce>(row);
  for (; row < count; ++row) apply.template operator()<1>(row);
}

/// The arguments for one panel, whose result may be tiled.
template <class Simd>
GemmArgs tiledPanelArgs(const GemmArgs& args, std::int64_t panel) {
  GemmArgs part = panelArgs<Simd>(args, panel);
  if (args.isBf16ResultTiled)
    part.bf16Result = args.bf16Result + tiledColumnOffset(panel * resultColumnsPerPanel<Simd>(args.epilogue));
  return part;
}

/// At most `kMaxGroups` groups of rows times one panel. `configuredRows`: the rows that the tiles are configured for.
template <class Simd, class TileDot>
void multiplyPanel(const GemmArgs& args, bool isFirst, bool isLast, std::int64_t& configuredRows) {
  constexpr std::int64_t kGroupSize = kGroupRows * kPanelWidth<Simd>;
  alignas(64) float accumulators[kMaxGroups * kGroupSize];  // of the slices so far
  alignas(64) float finished[kGroupSize];                   // of one group: they stay in the L1 cache
  const std::int64_t groups = (args.rowCount + kGroupRows - 1) / kGroupRows;
  const std::int64_t sliceWords = groups > 1 ? kSliceWords : args.words;
  for (std::int64_t word = 0; word < args.words; word += sliceWords) {
    const bool isLastSlice = args.words - word <= sliceWords;
    for (std::int64_t group = 0; group < groups; ++group) {
      const std::int64_t first = group * kGroupRows;
      const std::int64_t count = args.rowCount - first < kGroupRows ? args.rowCount - first : kGroupRows;
      const bool hasLower = count > kTileRows;
      if (count != configuredRows) configureTiles(configuredRows = count);
      const bool prefetchesOwnPanel = GemmStep{isFirst, isLast, group == 0, groups - 1 - group}.prefetchesOwnPanel();
      const GroupSlice slice{group, prefetchesOwnPanel ? 1 : groups, word, isLastSlice ? args.words : word + sliceWords,
                             prefetchesOwnPanel ? kPrefetchDistance
                             : isLast           ? 0
                                                : args.words};
      float* own = accumulators + group * kGroupSize;
      const float* initial = word == 0 ? nullptr : own;
      float* to = isLastSlice ? finished : own;
      withTileAccumulators(count,
                           [&]<class Group>() { accumulateSlice<Simd, TileDot, Group>(args, slice, initial, to); });
      if (!isLastSlice) continue;
      applyEpilogueToTile<Simd, TileDot>(args, first, hasLower ? kTileRows : count, to);
      if (hasLower)
        applyEpilogueToTile<Simd, TileDot>(args, first + kTileRows, count - kTileRows,
                                           to + kTileRows * kPanelWidth<Simd>);
    }
  }
}

template <class Simd, class TileDot>
void gemmInTilesWith(const GemmArgs& args) {
  constexpr std::int64_t kMaxRows = kMaxGroups * kGroupRows;
  std::int64_t configuredRows = 0;
  const std::int64_t panels = panelCount<Simd>(args);
  for (std::int64_t first = 0; first < args.rowCount; first += kMaxRows) {
    GemmArgs part = args;
    part.rows += first * args.words;
    if (part.rowScales != nullptr) part.rowScales += first;
    if (part.result != nullptr) part.result += first * args.resultStride;
    if (part.bf16Result != nullptr) part.bf16Result += first * args.resultStride;
    part.rowCount = args.rowCount - first < kMaxRows ? args.rowCount - first : kMaxRows;
    for (std::int64_t panel = 0; panel < panels; ++panel)
      multiplyPanel<Simd, TileDot>(tiledPanelArgs<Simd>(part, panel), panel == 0, panel + 1 == panels, configuredRows);
  }
  if (args.epilogue == Epilogue::kStream) Simd::streamFence();
  _tile_release();
}

/// Untiled rows are multiplied without tiles. Whether rows are tiled depends on their data type and length, never on
/// their number.
template <class Simd>
void gemmInTiles(DataType dataType, const GemmArgs& args) {
  if (!args.areRowsTiled) return gemm<Simd>(dataType, args);
  if (dataType == DataType::kBfloat16) return gemmInTilesWith<Simd, Bf16TileDot>(args);
  gemmInTilesWith<Simd, Int8TileDot>(args);
}

}  // namespace
}  // namespace torch_t5::kernels
