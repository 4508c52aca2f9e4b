// How much the fused engine computes at once, by the sizes of the processor's caches.
#pragma once

#include <cstdint>

#include "core/platform/cache_sizes.h"

namespace torch_t5 {

/// The sizes divide the work, and change no bit of a result. The defaults suit an L2 cache of 1 MB.
struct BlockSizes {
  /// Words of the rows that all panels of a matrix are multiplied with, before the next rows.
  std::int64_t chunkWords = std::int64_t{96} << 10;
  /// Rows that pass through all products of a layer, before the next rows.
  std::int64_t layerRows = 256;

  bool operator==(const BlockSizes&) const = default;
};

/// The only place that chooses these sizes.
BlockSizes chooseBlockSizes(const CacheSizes& caches);

/// Those of this processor. Its caches are read at the first call.
const BlockSizes& blockSizes();

}  // namespace torch_t5
