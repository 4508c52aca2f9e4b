// The tiles of AMX, 16 rows of 16 words each, and sums in them.
// Included by the one file that is compiled for them: all that is here has internal linkage.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "fused/kernels/kernels.h"

namespace torch_t5::kernels {
namespace {

constexpr std::int64_t kGroupRows = 2 * kTileRows;  // that are multiplied at once
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

/// Words of up to two tiles' rows: the second tile's are `lower`. `stride`: words from one row to the next.
struct TiledRows {
  const std::uint32_t* upper;
  const std::uint32_t* lower;
  std::int64_t stride;
};

/// Sums of a group of rows with 32 columns. `HasLower`: the group has more rows than a tile.
template <bool HasLower>
struct TileSums {
  static void clear() {
    _tile_zero(0);
    _tile_zero(1);
    if constexpr (HasLower) {
      _tile_zero(2);
      _tile_zero(3);
    }
  }

  /// `stride`: numbers from one row to the next.
  static void load(const float* sums, std::int64_t stride) {
    const std::int64_t bytes = stride * kBytesPerWord;
    _tile_loadd(0, sums, bytes);
    _tile_loadd(1, sums + kTileWords, bytes);
    if constexpr (HasLower) {
      _tile_loadd(2, sums + kTileRows * stride, bytes);
      _tile_loadd(3, sums + kTileRows * stride + kTileWords, bytes);
    }
  }

  static void store(float* sums, std::int64_t stride) {
    const std::int64_t bytes = stride * kBytesPerWord;
    _tile_stored(0, sums, bytes);
    _tile_stored(1, sums + kTileWords, bytes);
    if constexpr (HasLower) {
      _tile_stored(2, sums + kTileRows * stride, bytes);
      _tile_stored(3, sums + kTileRows * stride + kTileWords, bytes);
    }
  }

  /// Adds 16 words of the rows times as many rows of a panel, which lie `panelStride` words apart.
  template <class Tiles>
  static void add(const TiledRows& rows, const std::uint32_t* panel, std::int64_t panelStride) {
    _tile_loadd(6, panel, panelStride * kBytesPerWord);
    _tile_loadd(4, rows.upper, rows.stride * kBytesPerWord);
    _tile_loadd(7, panel + kTileWords, panelStride * kBytesPerWord);
    if constexpr (HasLower) _tile_loadd(5, rows.lower, rows.stride * kBytesPerWord);
    Tiles::addUpper();
    if constexpr (HasLower) Tiles::addLower();
  }
};

/// Calls `call` with the sums of so many rows.
template <class Call>
void withTileSums(std::int64_t rows, Call&& call) {
  if (rows > kTileRows) {
    call.template operator()<TileSums<true>>();
  } else {
    call.template operator()<TileSums<false>>();
  }
}

}  // namespace
}  // namespace torch_t5::kernels
