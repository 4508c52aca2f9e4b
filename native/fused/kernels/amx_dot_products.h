// Dot products in AMX's tiles without operands from memory.
// Included by avx512_amx.cc alone. Internal linkage: see kernels_template.h.
#pragma once

#include <cstdint>

#include "fused/kernels/amx_tiles.h"
#include "fused/kernels/dot_products.h"
#include "fused/kernels/kernels.h"

namespace torch_t5::kernels {
namespace {

template <class TileDot>
void repeatTileDotProducts(std::int64_t iterations) {
  configureTiles(kGroupRows);
  TileAccumulators</*HasLower=*/true>::clear();
  _tile_zero(4);
  _tile_zero(5);
  _tile_zero(6);
  _tile_zero(7);
  for (std::int64_t i = 0; i < iterations; i += kTileWords) {
    TileDot::addUpper();
    TileDot::addLower();
  }
  _tile_release();
}

template <class Simd>
void repeatDotProductsInTiles(DataType dataType, std::int64_t iterations) {
  switch (dataType) {
    case DataType::kFloat32: {
      // A group of tiles has more rows than the accumulators without tiles.
      constexpr std::int64_t kProducts = kGroupRows * 2 * kTileWords;
      constexpr std::int64_t kOwnProducts = Simd::kMaxRows * kPanelWidth<Simd>;
      return repeatDotProducts<Simd>(dataType, iterations * kProducts / kOwnProducts);
    }
    case DataType::kBfloat16:
      return repeatTileDotProducts<Bf16TileDot>(iterations);
    case DataType::kInt8:
      return repeatTileDotProducts<Int8TileDot>(iterations);
  }
}

}  // namespace
}  // namespace torch_t5::kernels
