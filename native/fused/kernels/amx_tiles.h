// AMX: tiles of 16 rows by 16 words, and accumulators in them.
// Included by avx512_amx.cc alone. Internal linkage: see kernels_template.h.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "fused/kernels/kernels.h"

namespace torch_t5::kernels {
namespace {

constexpr std::int64_t kGroupRows = 2 * kTileRows;  // rows that are multiplied at once
constexpr std::int64_t kBytesPerWord = 4;

/// The memory that `ldtilecfg` reads.
struct alignas(64) TileConfig {
  std::uint8_t palette = 1;
  std::uint8_t startRow = 0;
  std::uint8_t reserved[14] = {};
  std::uint16_t bytesPerRow[16] = {};
  std::uint8_t rows[16] = {};
};
static_assert(sizeof(TileConfig) == 64);

/// Completes earlier writes before tiles are loaded: GCC does not model that its tile intrinsics read memory.
void compilerBarrier() {
#ifdef __GNUC__
  asm volatile("" : : : "memory");
#endif
}

/// Configures the tiles for a group of `rows` rows, at most 32. Tiles 0 and 1 accumulate the upper 16 rows, 2 and 3 the
/// lower; 4 and 5 hold the rows' words, 6 and 7 the panel's.
void configureTiles(std::int64_t rows) {
  constexpr std::int64_t kUpper[] = {0, 1, 4};
  constexpr std::int64_t kLower[] = {2, 3, 5};
  constexpr std::int64_t kPanel[] = {6, 7};
  TileConfig config;
  const auto configure = [&](std::int64_t tile, std::int64_t tileRows) {
    config.rows[tile] = static_cast<std::uint8_t>(tileRows);
    config.bytesPerRow[tile] = tileRows > 0 ? kTileWords * kBytesPerWord : 0;
  };
  for (const std::int64_t tile : kUpper) configure(tile, rows < kTileRows ? rows : kTileRows);
  for (const std::int64_t tile : kLower) configure(tile, rows < kTileRows ? 0 : rows - kTileRows);
  for (const std::int64_t tile : kPanel) configure(tile, kTileRows);
  compilerBarrier();
  _tile_loadconfig(&config);
}

struct Bf16TileDot {
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

struct Int8TileDot {
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

/// The words of a group's rows: 16 rows at `upper`, the others at `lower`.
struct GroupRows {
  const std::uint32_t* upper;
  const std::uint32_t* lower;
  std::int64_t stride;  // words from one row to the next
};

/// Accumulators of a group of rows with 32 columns. `HasLower`: the group has more than 16 rows.
template <bool HasLower>
struct TileAccumulators {
  static void clear() {
    _tile_zero(0);
    _tile_zero(1);
    if constexpr (HasLower) {
      _tile_zero(2);
      _tile_zero(3);
    }
  }

  /// `stride`: elements from one row to the next.
  static void load(const float* accumulators, std::int64_t stride) {
    const std::int64_t bytes = stride * kBytesPerWord;
    _tile_loadd(0, accumulators, bytes);
    _tile_loadd(1, accumulators + kTileWords, bytes);
    if constexpr (HasLower) {
      _tile_loadd(2, accumulators + kTileRows * stride, bytes);
      _tile_loadd(3, accumulators + kTileRows * stride + kTileWords, bytes);
    }
  }

  static void store(float* accumulators, std::int64_t stride) {
    const std::int64_t bytes = stride * kBytesPerWord;
    _tile_stored(0, accumulators, bytes);
    _tile_stored(1, accumulators + kTileWords, bytes);
    if constexpr (HasLower) {
      _tile_stored(2, accumulators + kTileRows * stride, bytes);
      _tile_stored(3, accumulators + kTileRows * stride + kTileWords, bytes);
    }
  }

  /// Multiplies 16 words of the rows with 16 words of a panel. `panelStride`: from one word of the panel to the next.
  template <class TileDot>
  static void add(const GroupRows& rows, const std::uint32_t* panel, std::int64_t panelStride) {
    _tile_loadd(6, panel, panelStride * kBytesPerWord);
    _tile_loadd(4, rows.upper, rows.stride * kBytesPerWord);
    _tile_loadd(7, panel + kTileWords, panelStride * kBytesPerWord);
    if constexpr (HasLower) _tile_loadd(5, rows.lower, rows.stride * kBytesPerWord);
    TileDot::addUpper();
    if constexpr (HasLower) TileDot::addLower();
  }
};

/// Calls `call` with the type of the accumulators of `rows` rows.
template <class Call>
void withTileAccumulators(std::int64_t rows, Call&& call) {
  if (rows > kTileRows) {
    call.template operator()<TileAccumulators<true>>();
  } else {
    call.template operator()<TileAccumulators<false>>();
  }
}

}  // namespace
}  // namespace torch_t5::kernels
