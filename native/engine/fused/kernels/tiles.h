// Rows times panels in the tiles of AMX: 16 rows of 16 words each.
// Included by the one file that is compiled for them: all that is here has internal linkage.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "engine/fused/kernels/kernels.h"
#include "engine/fused/kernels/product.h"
#include "engine/fused/kernels/sums.h"

namespace torch_t5::kernels {
namespace {

constexpr std::int64_t kTileRows = 16;
constexpr std::int64_t kTileWords = 16;
constexpr std::int64_t kMostTiledRows = 2 * kTileRows;
constexpr std::int64_t kBytesPerWord = 4;

/// What `ldtilecfg` reads.
struct alignas(64) TileShapes {
  std::uint8_t palette = 1;
  std::uint8_t startRow = 0;
  std::uint8_t reserved[14] = {};
  std::uint16_t bytesPerRow[16] = {};
  std::uint8_t rows[16] = {};
};
static_assert(sizeof(TileShapes) == 64);

/// GCC isn't told that tiles are loaded from memory: what was written before is there for them.
void finishWrites() {
#ifdef __GNUC__
  asm volatile("" : : : "memory");
#endif
}

/// Shapes the tiles for `rows` rows, at most 32: sums in 0 and 1 (of the upper rows) and 2 and 3 (of the lower), the
/// rows' words in 4 and 5, a panel's in 6 and 7.
void shapeTiles(std::int64_t rows) {
  constexpr std::int64_t kUpper[] = {0, 1, 4};
  constexpr std::int64_t kLower[] = {2, 3, 5};
  constexpr std::int64_t kPanel[] = {6, 7};
  TileShapes shapes;
  const auto shape = [&](std::int64_t tile, std::int64_t tileRows) {
    shapes.rows[tile] = static_cast<std::uint8_t>(tileRows);
    shapes.bytesPerRow[tile] = tileRows > 0 ? kTileWords * kBytesPerWord : 0;
  };
  for (const std::int64_t tile : kUpper) shape(tile, rows < kTileRows ? rows : kTileRows);
  for (const std::int64_t tile : kLower) shape(tile, rows < kTileRows ? 0 : rows - kTileRows);
  for (const std::int64_t tile : kPanel) shape(tile, kTileRows);
  finishWrites();
  _tile_loadconfig(&shapes);
}

struct Bfloat16Tiles {
  static constexpr bool kIsInteger = false;
  static void addUpper() {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
  }
  static void addLower() {
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
};

struct Int8Tiles {
  static constexpr bool kIsInteger = true;
  static void addUpper() {
    _tile_dpbusd(0, 4, 6);
    _tile_dpbusd(1, 4, 7);
  }
  static void addLower() {
    _tile_dpbusd(2, 5, 6);
    _tile_dpbusd(3, 5, 7);
  }
};

/// Which of a following panel's words to fetch meanwhile: every `share`-th step's, from `first` on.
struct Fetching {
  std::int64_t first = 0;
  std::int64_t share = 0;  // 0: none
};

/// sums [rows][panelWidth] = rows x panel. The tiles are shaped for the rows.
template <class Simd, class Tiles, bool HasLower>
void sumTiles(const Product& product, std::int64_t first, Fetching fetching, float* sums) {
  constexpr std::int64_t kWidth = kPanelWidth<Simd>;
  static_assert(kWidth == 2 * kTileWords);
  const std::uint32_t* upper = product.rows + first * product.rowStride;
  const std::uint32_t* lower = upper + kTileRows * product.rowStride;
  const std::uint32_t* following = product.panels + product.words * kWidth;
  _tile_zero(0);
  _tile_zero(1);
  if constexpr (HasLower) {
    _tile_zero(2);
    _tile_zero(3);
  }
  std::int64_t fetchAt = fetching.share > 0 ? fetching.first * kTileWords : product.words;
  for (std::int64_t word = 0; word < product.words; word += kTileWords) {
    const std::uint32_t* panel = product.panels + word * kWidth;
    if (word == fetchAt) {
      for (std::int64_t line = 0; line < kTileWords * kWidth; line += kTileWords)
        Simd::fetch(following + word * kWidth + line);
      fetchAt += fetching.share * kTileWords;
    }
    _tile_loadd(6, panel, kWidth * kBytesPerWord);
    _tile_loadd(4, upper + word, product.rowStride * kBytesPerWord);
    _tile_loadd(7, panel + kTileWords, kWidth * kBytesPerWord);
    if constexpr (HasLower) _tile_loadd(5, lower + word, product.rowStride * kBytesPerWord);
    Tiles::addUpper();
    if constexpr (HasLower) Tiles::addLower();
  }
  _tile_stored(0, sums, kWidth * kBytesPerWord);
  _tile_stored(1, sums + kTileWords, kWidth * kBytesPerWord);
  if constexpr (HasLower) {
    _tile_stored(2, sums + kTileRows * kWidth, kWidth * kBytesPerWord);
    _tile_stored(3, sums + kTileRows * kWidth + kTileWords, kWidth * kBytesPerWord);
  }
}

/// Finishes rows whose sums [count][panelWidth] lie in memory.
template <class Simd, class Tiles>
void finishTiles(const Product& product, std::int64_t first, std::int64_t count, const float* sums) {
  for (std::int64_t row = 0; row < count; ++row) {
    typename Simd::Float values[1][kVectorsPerPanel];
    for (int v = 0; v < kVectorsPerPanel; ++v)
      values[0][v] = Simd::load(sums + row * kPanelWidth<Simd> + v * Simd::kLanes);
    if constexpr (Tiles::kIsInteger) scaleSums<Simd, 1>(product, first + row, values);
    finishRows<Simd, 1>(product, first + row, values);
  }
}

template <class Simd, class Tiles>
void multiplyTiles(const Product& product) {
  alignas(64) float sums[kMostTiledRows * kPanelWidth<Simd>];
  const std::int64_t panels = panelsOf<Simd>(product);
  const std::int64_t groups = (product.rowCount + kMostTiledRows - 1) / kMostTiledRows;
  const std::int64_t groupSize = (product.rowCount + groups - 1) / groups;  // of all groups but the last
  std::int64_t shaped = 0;
  for (std::int64_t panel = 0; panel < panels; ++panel) {
    const Product own = panelOf<Simd>(product, panel);
    for (std::int64_t group = 0; group < groups; ++group) {
      const std::int64_t first = group * groupSize;
      const std::int64_t count = product.rowCount - first < groupSize ? product.rowCount - first : groupSize;
      if (count != shaped) shapeTiles(shaped = count);
      // Few rows go through a panel once, at the speed of memory, and the processor itself fetches ahead.
      const Fetching fetching{group, groups > 1 && panel + 1 < panels ? groups : 0};
      if (count > kTileRows) {
        sumTiles<Simd, Tiles, true>(own, first, fetching, sums);
      } else {
        sumTiles<Simd, Tiles, false>(own, first, fetching, sums);
      }
      finishTiles<Simd, Tiles>(own, first, count, sums);
    }
  }
  _tile_release();
}

/// What tiles have no format for, or don't divide, goes without them: by its shape alone, never by its number of rows.
template <class Simd>
void multiplyInTiles(Format format, const Product& product) {
  if (format == Format::kFloat32 || product.words % kTileWords != 0) return multiply<Simd>(format, product);
  if (product.rowCount <= 0) return;
  if (format == Format::kBfloat16) return multiplyTiles<Simd, Bfloat16Tiles>(product);
  multiplyTiles<Simd, Int8Tiles>(product);
}

}  // namespace
}  // namespace torch_t5::kernels
